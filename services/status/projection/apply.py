"""Apply a batch of events to the projection's tables, in the caller's transaction: lock, load, project, write.

Locks are taken in one order (cases by hash, then jobs by id), so that two workers that see the same case (two jobs
of it in two partitions, or a worker that lost its partitions and does not know yet) wait for each other instead of
overwriting what the other has just written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection

from services.status.projection import statements as sql
from services.status.projection.project import project
from services.status.projection.rows import RANK, STATUS, DocumentRow, JobRow, KnownRows, Occurrence, Rank, RowChanges
from shared.db import progress
from shared.db.channels import PROGRESS
from shared.db.prepared import PreparedCall, run_together
from shared.db.recordset import as_json
from shared.domain.views import documents_url
from shared.events.document_events import DocumentEvent
from shared.events.envelope import deterministic_id, encode
from shared.events.process_completed import ProcessCompleted
from shared.events.topics import PROCESS_COMPLETED
from shared.outbox.write import write

SOURCE: Final = "/autos/status"


@dataclass(frozen=True)
class Applied:
    """What a batch did."""

    left: Mapping[str, int]
    """By job that changed and is planned: the documents that it still waits for, 0 when it has ended."""
    completions: tuple[ProcessCompleted, ...]
    processes: tuple[str, ...]


class Projection:
    """The projection in one schema.

    With ``announce`` (the live one) an end goes to the outbox and every changed case is notified; a rebuild, which
    repeats what was announced already, does neither.
    """

    def __init__(self, schema: str = progress.SCHEMA, *, announce: bool = True, public_url: str | None = None) -> None:
        self._sql = sql.Statements.of(schema)
        self._announce = announce
        self._public_url = public_url

    def apply(self, connection: Connection, occurrences: Sequence[Occurrence], now: datetime) -> Applied:
        """Write what these events change; the caller commits. An event seen before changes nothing."""
        if not occurrences:
            return Applied({}, (), ())
        jobs = self._load_jobs(connection, occurrences)
        # What comes late for a deleted case changes nothing.
        occurrences = [item for item in occurrences if item.event.job_id in jobs]
        if not occurrences:
            return Applied({}, (), ())
        changes = project(self._load(connection, jobs, occurrences), occurrences)
        references = self._write(connection, changes, now)
        completions = tuple(ended for ended in changes.completions if ended.job_id in references)
        if self._announce:
            causes = {item.event.job_id: item.traceparent for item in occurrences if item.traceparent}
            announce(connection, completions, now, self._public_url, references, causes)
        return Applied(left_of(changes.jobs.values()), completions, tuple(changes.processes))

    def _load_jobs(self, connection: Connection, occurrences: Sequence[Occurrence]) -> dict[str, JobRow]:
        """The rows of every job named but those of deleted cases, locked, and made where they are missing.

        One round trip. The locks come first in it, and what follows sees what was committed while they were waited for.
        """
        jobs = {item.event.job_id: item.event.process_number for item in occurrences}
        calls = [
            PreparedCall(self._sql.make_jobs, {"jobs": list(jobs), "processes": list(jobs.values())}),
            PreparedCall(self._sql.load_jobs, {"jobs": list(jobs)}),
        ]
        if self._announce:
            calls[:0] = sql.locks({item.event.process_number for item in occurrences})
        return {job.job_id: job for job in map(JobRow._make, run_together(connection, *calls))}

    def _load(self, connection: Connection, jobs: Mapping[str, JobRow], occurrences: Sequence[Occurrence]) -> KnownRows:
        """What is known of these jobs and of every document named."""
        # A row just made has version 0: it is not known, it is only locked.
        known = {job_id: job for job_id, job in jobs.items() if job.version > 0}
        named = {
            (event.job_id, event.document_id, event.process_number)
            for event in (item.event for item in occurrences)
            if isinstance(event, DocumentEvent)
        }
        if not named:
            return KnownRows(known)
        job_ids, document_ids, processes = (list(column) for column in zip(*named, strict=True))
        names = {"jobs": job_ids, "documents": document_ids, "processes": processes}
        job_documents: dict[tuple[str, str], Rank] = {}
        documents: dict[tuple[str, str], DocumentRow] = {}
        for row in self._sql.load_documents.run(connection, names):
            job_id, document_id, status, *columns = tuple(row)
            if status is not None:
                job_documents[job_id, document_id] = RANK[status]
            if columns[0] is not None:
                document = DocumentRow._make(columns)
                documents[document.process_number, document.document_id] = document
        return KnownRows(known, job_documents, documents)

    def _write(self, connection: Connection, changes: RowChanges, now: datetime) -> dict[str, str | None]:
        """Write the changed rows and notify who listens; the jobs that ended with this write and no other, each with
        what the client that started it calls it.

        One round trip, in which the ends come last, since the rows of the last statement are those that come back.
        """
        ending = {completion.job_id for completion in changes.completions}
        going_on = [_stamped(job, now) for job in changes.jobs.values() if job.job_id not in ending]
        ended = [_stamped(job, now) for job in changes.jobs.values() if job.job_id in ending]
        ranks = [
            dict(zip(sql.JOB_DOCUMENT_COLUMNS, (*key, STATUS[rank]), strict=True))
            for key, rank in changes.job_documents.items()
        ]
        documents = [_stamped(document, now) for document in changes.documents.values()]
        calls = [
            PreparedCall(statement, {"rows": as_json(rows)})
            for statement, rows in (
                (self._sql.update_jobs, going_on),
                (self._sql.write_job_documents, ranks),
                (self._sql.write_documents, documents),
            )
            if rows
        ]
        if self._announce and changes.processes:
            calls.append(PreparedCall(sql.NOTIFY, {"channel": PROGRESS, "processes": changes.processes}))
        if ended:
            calls.append(PreparedCall(self._sql.complete_jobs, {"rows": as_json(ended)}))
        if not calls:
            return {}
        done = run_together(connection, *calls)
        return {row.job_id: row.reference for row in done} if ended else {}


def left_of(jobs: Iterable[JobRow]) -> dict[str, int]:
    """By job that has ended or is planned: the documents that it still waits for, 0 when it has ended."""
    left: dict[str, int] = {}
    for job in jobs:
        if job.completed_at is not None:
            left[job.job_id] = 0
        elif job.total_documents is not None:
            left[job.job_id] = job.total_documents - job.completed_documents - job.failed_documents
    return left


def announce(
    connection: Connection,
    completions: Sequence[ProcessCompleted],
    now: datetime,
    public_url: str | None,
    references: Mapping[str, str | None],
    causes: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Put the ends into the outbox; the id of each is a function of the job, so that a repeat is recognised.

    ``references`` are what the clients that started the jobs call them, ``causes`` the traces of the jobs' last events.

    The caller commits, together with the rows that say that the jobs have ended.
    """
    if not completions:
        return
    records = [
        encode(
            completion.model_copy(
                update={
                    "reference": references.get(completion.job_id),
                    "documents_url": documents_url(completion.process_number, public_url),
                }
            ),
            PROCESS_COMPLETED,
            event_id=deterministic_id(completion.job_id, "completed"),
            source=SOURCE,
            time=completion.completed_at,
            traceparent=causes.get(completion.job_id),
        )
        for completion in completions
    ]
    write(connection, progress.outbox, records, now=now)


def find_references(connection: Connection, completions: Sequence[ProcessCompleted]) -> dict[str, str | None]:
    """What the clients that started these jobs call them."""
    wanted = {"jobs": [completion.job_id for completion in completions]}
    return {row.job_id: row.reference for row in sql.REFERENCES.run(connection, wanted)}


def _stamped(row: JobRow | DocumentRow, now: datetime) -> dict[str, Any]:
    """The row by column, as written now."""
    return {**row._asdict(), "updated_at": now}
