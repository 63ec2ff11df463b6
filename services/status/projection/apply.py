"""Apply a batch of events to the projection's tables, in the caller's transaction: lock, load, project, write.

Locks are taken in one order (cases by hash, then jobs by id), so that two workers that see the same case (two jobs
of it in two partitions, or a worker that lost its partitions and does not know yet) wait for each other instead of
overwriting what the other has just written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from psycopg2.extras import execute_values
from sqlalchemy import Connection

from services.status.projection import statements as sql
from services.status.projection.project import project
from services.status.projection.rows import RANK, STATUS, DocumentRow, JobRow, KnownRows, Occurrence, RowChanges
from shared.db import progress
from shared.db.channels import PROGRESS
from shared.db.deletions import find_deleted_jobs
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
        with closing(connection.connection.cursor()) as cursor:
            if self._announce:
                _lock(cursor, occurrences)
            # After the lock: what deletes a case holds it, and what comes late for a deleted one changes nothing.
            deleted = find_deleted_jobs(connection, {item.event.job_id for item in occurrences})
            if deleted:
                occurrences = [item for item in occurrences if item.event.job_id not in deleted]
                if not occurrences:
                    return Applied({}, (), ())
            changes = project(self._load(cursor, occurrences), occurrences)
            completed = self._write(cursor, changes, now)
            completions = tuple(ended for ended in changes.completions if ended.job_id in completed)
            if self._announce:
                causes = {item.event.job_id: item.traceparent for item in occurrences if item.traceparent}
                announce(connection, completions, now, self._public_url, causes)
                notify(cursor, changes.processes)
        return Applied(left_of(changes.jobs.values()), completions, tuple(changes.processes))

    def _load(self, cursor: Any, occurrences: Sequence[Occurrence]) -> KnownRows:
        """The rows of every job and document named; jobs are locked and made where they are missing."""
        jobs = {item.event.job_id: item.event.process_number for item in occurrences}
        cursor.execute(self._sql.add_jobs, {"jobs": list(jobs), "processes": list(jobs.values())})
        cursor.execute(self._sql.load_jobs, {"jobs": list(jobs)})
        # A row just made has version 0: it is not known, it is only locked.
        known = {job.job_id: job for job in map(JobRow._make, cursor.fetchall()) if job.version > 0}
        named = {
            (event.job_id, event.document_id, event.process_number)
            for event in (item.event for item in occurrences)
            if isinstance(event, DocumentEvent)
        }
        if not named:
            return KnownRows(known)
        job_ids, document_ids, processes = (list(column) for column in zip(*named, strict=True))
        names = {"jobs": job_ids, "documents": document_ids, "processes": processes}
        cursor.execute(self._sql.load_job_documents, names)
        job_documents = {(job_id, document_id): RANK[status] for job_id, document_id, status in cursor.fetchall()}
        cursor.execute(self._sql.load_documents, names)
        found = map(DocumentRow._make, cursor.fetchall())
        documents = {(document.process_number, document.document_id): document for document in found}
        return KnownRows(known, job_documents, documents)

    def _write(self, cursor: Any, changes: RowChanges, now: datetime) -> frozenset[str]:
        """Write the changed rows; the ids of the jobs that ended with this write and no other."""
        ending = {completion.job_id for completion in changes.completions}
        going_on = [(*job, now) for job in changes.jobs.values() if job.job_id not in ending]
        ended = [(*job, now) for job in changes.jobs.values() if job.job_id in ending]
        _execute(cursor, self._sql.update_jobs, sql.JOB_TEMPLATE, going_on)
        found = _execute(cursor, self._sql.complete_jobs, sql.JOB_TEMPLATE, ended, fetch=True)
        ranks = [(*key, STATUS[rank]) for key, rank in changes.job_documents.items()]
        _execute(cursor, self._sql.write_job_documents, sql.JOB_DOCUMENT_TEMPLATE, ranks)
        documents = [(*document, now) for document in changes.documents.values()]
        _execute(cursor, self._sql.write_documents, sql.DOCUMENT_TEMPLATE, documents)
        return frozenset(job_id for (job_id,) in found)


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
    causes: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Put the ends into the outbox; the id of each is a function of the job, so that a repeat is recognised.

    ``causes`` are the traces of the jobs' last events.

    The caller commits, together with the rows that say that the jobs have ended.
    """
    if not completions:
        return
    found = connection.exec_driver_sql(sql.REFERENCES, {"jobs": [completion.job_id for completion in completions]})
    references = {row.job_id: row.reference for row in found}
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


def notify(cursor: Any, processes: Sequence[str]) -> None:
    """Notify the listeners, at the commit, which cases changed."""
    if processes:
        cursor.execute("SELECT pg_notify(%s, number) FROM unnest(%s) AS number", (PROGRESS, list(processes)))


def _lock(cursor: Any, occurrences: Sequence[Occurrence]) -> None:
    processes = sorted({item.event.process_number for item in occurrences})
    cursor.execute(sql.LOCK, {"rebuild": sql.REBUILD_LOCK, "space": sql.CASE_LOCKS, "processes": processes})


def _execute(
    cursor: Any, statement: str, template: str, rows: Sequence[tuple[Any, ...]], *, fetch: bool = False
) -> list[tuple[Any, ...]]:
    """One statement for all rows; none when there is no row."""
    if not rows:
        return []
    found: list[tuple[Any, ...]] | None = execute_values(
        cursor, statement, rows, template=template, page_size=len(rows), fetch=fetch
    )
    return found or []
