"""The end of a job or a document whose record goes to a dead topic, so that nothing waits for it.

A record that nobody could handle may be damaged, so it is read leniently, and what it says is compared with the
catalog: an end is written only for a job that is about that case, and for a document that is the case's.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from services.downloader.catalog_queries import DocumentKey, StoredJob, find_jobs, find_listed, is_plan_of
from services.downloader.event_records import EventRecords
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
class ReadableFields:
    """What can be read of a record: None for what is missing or is no such thing."""

    job_id: str | None = None
    process_number: str | None = None
    document_id: str | None = None
    attempt: int = 1
    plan_id: str | None = None
    release_after: int | None = None


def readable_fields(value: bytes | None) -> ReadableFields:
    """What a record's value names, whatever else is wrong with it. Never raises.

    A field that is missing, or not of its kind, is None, and an attempt 1: anybody who writes to the topic may have
    written this.
    """
    try:
        # Not orjson: it takes nothing of a text with a lone surrogate, and numbers without end are no matter here.
        found: Any = json.loads((value or b"").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ReadableFields()
    if not isinstance(found, dict):
        return ReadableFields()
    return ReadableFields(
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


def case_of(names: ReadableFields, job: StoredJob | None) -> str | None:
    """The case of the end: the job's own; None when the record claims another, or names none."""
    if job is None:
        return names.process_number
    return job.process_number if names.process_number in (None, job.process_number) else None


class DeadLetterEnds:
    """The ``on_given_up`` of the two runtimes. Each reads the catalog once, and raises InfrastructureAway."""

    def __init__(self, database: Database, event_records: EventRecords) -> None:
        self._database = database
        self._event_records = event_records

    async def of_job(self, record: Record, error: Exception) -> list[OutgoingRecord]:
        """JobAborted for a request that is given up, unless its documents are on their way already."""
        names = readable_fields(record.value)
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
        return [self._event_records.aborted(event, traceparent(record))]

    async def of_document(self, record: Record, error: Exception) -> list[OutgoingRecord]:
        """DocumentFailed for a document that is given up and is one of the case's, and the window that it asks for."""
        names = readable_fields(record.value)
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
        records = [self._event_records.reminded(event, trace)]
        if names.plan_id is not None and names.release_after is not None:
            records.append(self._event_records.resumed(job_id, case, names.plan_id, names.release_after, trace))
        return records
