"""The pure projection: rows known + events in order -> rows changed, jobs completed, cases to notify.

A fold of one step an event, so any split of the same events into batches gives the same rows. Three rules carry it:

* within a job a document only rises: started < failed < available. ``job_documents`` remembers how far it came, so a
  duplicate, a replay and a late Started change nothing;
* between jobs an available document stays available, until its object is found to be gone for good (``lost_at``);
  otherwise what happened later (the event's own time) counts;
* a job ends once. What comes for it afterwards still counts for the documents. A document that had failed and is
  available after all (a replayed dead letter) corrects the counters and the status of a job that had ended by itself;
  the moment of its end stays, and nothing is announced again. One that was cancelled or aborted stays as announced.

All times are the events', not the projection's, so that a rebuild gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.status.projection.rows import STATUS, DocumentRow, JobRow, KnownRows, Occurrence, Rank, RowChanges
from shared.domain.statuses import JobStatus, ended_status
from shared.events.document_events import (
    DocumentAvailable,
    DocumentEnd,
    DocumentEvent,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobPlanned,
)
from shared.events.process_completed import JobOutcome, ProcessCompleted

CANCELLED_CODE: Final = "cancelled"
"""The ``error_code`` of a JobAborted that a client asked for."""


def project(state: KnownRows, occurrences: Iterable[Occurrence]) -> RowChanges:
    """What these events, in this order, change in ``state``, which is not changed itself.

    ``state`` must hold every job and document that the events name, where it is known. Raises TypeError for an event
    that has no rule.
    """
    changes = RowChanges()
    for occurrence in occurrences:
        _step(state, changes, occurrence)
    return changes


def _step(state: KnownRows, changes: RowChanges, occurrence: Occurrence) -> None:
    event, at = occurrence.event, occurrence.at
    known = changes.jobs.get(event.job_id) or state.jobs.get(event.job_id)
    job = known or JobRow(event.job_id, event.process_number)
    if isinstance(event, JobPlanned):
        after = _planned(job, event, at)
    elif isinstance(event, JobAborted):
        after = _aborted(job, event, at)
    elif isinstance(event, DocumentEvent):
        after = _document(state, changes, job, event, event.at or at)
    else:
        raise TypeError(f"no projection of {type(event).__name__}")
    if after is None:
        return
    if job.completed_at is None:
        after = _ended(after, at)
        if after.completed_at is not None:
            changes.completions.append(completion(after))
    changes.jobs[event.job_id] = after._replace(version=job.version + 1)


def _planned(job: JobRow, event: JobPlanned, at: datetime) -> JobRow | None:
    if job.planned_at is not None or job.completed_at is not None:
        return None
    total = max(0, event.total_documents)
    completed = min(total, job.completed_documents + max(0, event.already_available))
    return job._replace(
        status=JobStatus.PROCESSING.value,
        total_documents=total,
        completed_documents=completed,
        failed_documents=min(job.failed_documents, total - completed),
        created_at=event.created_at or job.created_at or at,
        started_at=job.started_at or at,
        planned_at=at,
    )


def _aborted(job: JobRow, event: JobAborted, at: datetime) -> JobRow | None:
    if job.completed_at is not None:
        return None
    cancelled = event.error_code == CANCELLED_CODE
    return job._replace(
        status=(JobStatus.CANCELLED if cancelled else JobStatus.FAILED).value,
        created_at=job.created_at or event.created_at or at,
        completed_at=at,
        error_code=_text(event.error_code),
        error_message=_text(event.error_message),
    )


def _document(state: KnownRows, changes: RowChanges, job: JobRow, event: DocumentEvent, at: datetime) -> JobRow | None:
    """The job after a document's event, None when nothing is new; the document's rows go into ``changes``."""
    key, job_key = (event.process_number, event.document_id), (event.job_id, event.document_id)
    document = changes.documents.get(key) or state.documents.get(key)
    before = changes.job_documents.get(job_key) or state.job_documents.get(job_key)
    rank = _rank(event)
    risen = before is None or rank > before
    strong = rank is Rank.AVAILABLE or (isinstance(event, DocumentFailed) and event.lost)
    rewritten = (risen or strong) and _takes_over(document, event.job_id, strong, at)
    # The same failure after more attempts: the row shows the last one.
    rewritten |= not strong and rank == before and document is not None and _counts_on(document, event)
    if rewritten:
        changes.documents[key] = _document_row(document, event, at)
    if risen:
        changes.job_documents[job_key] = rank
        return _counted(job, before, rank, at)
    return job if rewritten else None


def _counts_on(document: DocumentRow, event: DocumentEvent) -> bool:
    same = document.job_id == event.job_id and document.status == STATUS[_rank(event)] and document.lost_at is None
    return same and event.attempts > document.attempts


def _rank(event: DocumentEvent) -> Rank:
    if isinstance(event, DocumentAvailable):
        return Rank.AVAILABLE
    if isinstance(event, DocumentFailed):
        return Rank.FAILED
    if isinstance(event, DocumentStarted):
        return Rank.PROCESSING
    raise TypeError(f"no projection of {type(event).__name__}")


def _takes_over(document: DocumentRow | None, job_id: str, strong: bool, at: datetime) -> bool:
    """Whether what a job reports becomes the state of the document as well.

    A ``strong`` event is about the object in the store: it is there, or it is gone for good. It counts more than a
    start or another failure. Two jobs are in two partitions, in no order: between equals the events' time decides,
    the same way in every replay.
    """
    if document is None:
        return True
    if strong != (document.status == STATUS[Rank.AVAILABLE] or document.lost_at is not None):
        return strong
    if not strong and document.job_id == job_id:
        return True
    return document.since is None or (at, job_id) > (document.since, document.job_id)


def _document_row(document: DocumentRow | None, event: DocumentEvent, at: datetime) -> DocumentRow:
    """The document's row after the event."""
    key = (event.process_number, event.document_id, event.job_id)
    same = document is not None and document.job_id == event.job_id
    started = document.download_started_at if document is not None else None
    if started is not None and not same and started > at:
        started = None
    if isinstance(event, DocumentEnd) and event.started_at is not None and not (same and started is not None):
        started = event.started_at
    if isinstance(event, DocumentAvailable):
        return DocumentRow(
            *key,
            STATUS[Rank.AVAILABLE],
            object_key=event.object_key,
            sha256=event.sha256,
            size=event.size,
            content_type=event.content_type,
            attempts=event.attempts,
            download_started_at=started,
            download_completed_at=at,
            warnings=[_text(warning) for warning in event.warnings] or None,
            rendition=event.rendition,
            revision=event.revision,
            replaced_at=event.replaced_at,
            fetched_at=event.fetched_at,
            source_headers=[_text(header) for header in event.source_headers] or None,
            object_version=event.object_version,
        )
    if isinstance(event, DocumentFailed):
        return DocumentRow(
            *key,
            STATUS[Rank.FAILED],
            error_code=_text(event.error_code),
            error_message=_text(event.error_message),
            attempts=event.attempts,
            download_started_at=started,
            download_completed_at=at,
            revision=event.revision,
            lost_at=at if event.lost else None,
        )
    began = (started if same else None) or at
    return DocumentRow(*key, STATUS[Rank.PROCESSING], attempts=event.attempts, download_started_at=began)


def _counted(job: JobRow, before: Rank | None, rank: Rank, at: datetime) -> JobRow:
    if job.completed_at is not None:
        return _corrected(job) if rank is Rank.AVAILABLE and before is Rank.FAILED else job
    completed, failed = job.completed_documents, job.failed_documents
    room = job.total_documents is None or completed + failed < job.total_documents
    if rank is Rank.AVAILABLE and before is Rank.FAILED and failed:
        completed, failed = completed + 1, failed - 1
    elif rank is Rank.AVAILABLE and room:
        completed += 1
    elif rank is Rank.FAILED and room:
        failed += 1
    return job._replace(
        status=JobStatus.PROCESSING.value,
        completed_documents=completed,
        failed_documents=failed,
        started_at=job.started_at or at,
    )


def _corrected(job: JobRow) -> JobRow:
    """An ended job of which a document that had failed is available after all. What cut it short stays as it was."""
    if job.error_code is not None or not job.failed_documents:
        return job
    after = job._replace(completed_documents=job.completed_documents + 1, failed_documents=job.failed_documents - 1)
    return after._replace(status=ended_status(after.completed_documents, after.failed_documents).value)


def _ended(job: JobRow, at: datetime) -> JobRow:
    """The job with its end, when its last document has ended."""
    if job.completed_at is not None or job.total_documents is None:
        return job
    if job.completed_documents + job.failed_documents < job.total_documents:
        return job
    status = ended_status(job.completed_documents, job.failed_documents)
    return job._replace(status=status.value, completed_at=max(at, job.started_at or at))


def completion(job: JobRow) -> ProcessCompleted:
    """What is announced of a job that has ended. Raises ValueError when it has not."""
    if job.completed_at is None:
        raise ValueError("the job has not ended")
    ended = job.completed_documents + job.failed_documents
    return ProcessCompleted(
        job_id=job.job_id,
        process_number=job.process_number,
        status=JobOutcome(job.status),
        total_documents=ended if job.total_documents is None else job.total_documents,
        completed_documents=job.completed_documents,
        failed_documents=job.failed_documents,
        created_at=job.created_at or job.started_at or job.completed_at,
        completed_at=job.completed_at,
        error_code=job.error_code,
        error_message=job.error_message,
    )


def _text(value: str) -> str:
    """PostgreSQL's text has no NUL; a source's error message must not make a job's end unstorable."""
    return value.replace("\x00", "\ufffd")
