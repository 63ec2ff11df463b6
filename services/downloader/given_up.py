"""The end that a job or a document hears of when its record is given up, by whatever door it leaves.

A record that nobody could handle may say little, so it is read leniently, and what it says is compared with the
catalog: an end is told only of a job that is about that case, and of a document that is the case's.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from services.downloader.catalog_reads import DocumentKey, StoredJob, find_jobs, find_listed
from services.downloader.planner.plan_rows import is_plan_of
from services.downloader.records import Reports
from shared.db.engine import Database
from shared.domain.cnj import InvalidProcessNumber, parse
from shared.events.document_events import DocumentFailed, JobAborted
from shared.events.envelope import traceparent
from shared.kafka.consumer import dead_letter as dead
from shared.records import OutgoingRecord, Record

INTERNAL_ERROR: Final = "internal_error"
_MOST_ATTEMPTS: Final = 1_000
_MOST_WINDOWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Names:
    """What can be read of a record: None for what is missing or is no such thing."""

    job_id: str | None = None
    process_number: str | None = None
    document_id: str | None = None
    attempt: int = 1
    plan_id: str | None = None
    release_after: int | None = None


def names_of(value: bytes | None) -> Names:
    """What a record's value names, whatever else is wrong with it."""
    try:
        # Not orjson: it takes nothing of a text with a lone surrogate, and numbers without end are no matter here.
        found: Any = json.loads((value or b"").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return Names()
    if not isinstance(found, dict):
        return Names()
    return Names(
        _uuid(found.get("job_id")),
        _number(found.get("process_number")),
        _uuid(found.get("document_id")),
        _attempt(found.get("attempt")),
        _uuid(found.get("plan_id")),
        _window(found.get("release_after")),
    )


def _uuid(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


def _number(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return parse(value)
    except InvalidProcessNumber:
        return None


def _attempt(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_ATTEMPTS:
        return value
    return 1


def _window(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_WINDOWS else None


def case_of(names: Names, job: StoredJob | None) -> str | None:
    """The case that an end is told of: the job's own; None when the record claims another, or there is none."""
    if job is None:
        return names.process_number
    return job.process_number if names.process_number in (None, job.process_number) else None


class Ends:
    """The runtimes' ``ends``. Each reads the catalog once; InfrastructureAway is the runtime's to wait for."""

    def __init__(self, database: Database, reports: Reports) -> None:
        self._database = database
        self._reports = reports

    async def of_job(self, record: Record, error: Exception) -> list[OutgoingRecord]:
        """JobAborted for a request that is given up, unless its documents are on their way already."""
        names = names_of(record.value)
        job_id = names.job_id
        if job_id is None:
            return []

        def ask(connection: Connection) -> tuple[StoredJob | None, bool]:
            plan_id = names.plan_id
            waits = plan_id is not None and is_plan_of(connection, plan_id, job_id)
            return find_jobs(connection, [job_id]).get(job_id), waits

        job, waits = await self._database.autocommit(ask)
        case = case_of(names, job)
        if case is None or (job is not None and job.cancelled):
            return []
        # A job that is planned hears of each document; but when its next window cannot be requested nothing more comes.
        if job is not None and job.planned and not waits:
            return []
        event = JobAborted(
            job_id=job_id,
            process_number=case,
            error_code=INTERNAL_ERROR,
            error_message=f"the request could not be handled ({dead.reason_of(error)})",
            created_at=None if job is None else job.created_at,
        )
        return [self._reports.aborted(event, traceparent(record))]

    async def of_document(self, record: Record, error: Exception) -> list[OutgoingRecord]:
        """DocumentFailed for a document that is given up and is one of the case's, and the window that it asks for."""
        names = names_of(record.value)
        job_id, document_id = names.job_id, names.document_id
        if job_id is None or document_id is None:
            return []

        def ask(connection: Connection) -> str | None:
            case = case_of(names, find_jobs(connection, [job_id]).get(job_id))
            if case is None or not find_listed(connection, [DocumentKey(case, document_id)]):
                return None
            return case

        case = await self._database.autocommit(ask)
        if case is None:
            return []
        event = DocumentFailed(
            job_id=job_id,
            process_number=case,
            document_id=document_id,
            attempts=names.attempt,
            error_code=INTERNAL_ERROR,
            error_message=f"the document could not be handled ({dead.reason_of(error)})",
        )
        trace = traceparent(record)
        records = [self._reports.reminded(event, trace)]
        if names.plan_id is not None and names.release_after is not None:
            records.append(self._reports.resumed(job_id, case, names.plan_id, names.release_after, trace))
        return records
