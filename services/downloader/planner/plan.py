"""A job's plan: decided once, kept when the job is large, and written as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from services.downloader.catalog_queries import DocumentKey, StoredJob, find_documents
from services.downloader.event_records import EventRecords
from services.downloader.planner import plan_rows as plans
from services.downloader.planner.needed_documents import LOST, CatalogDocument, needs_of_job
from services.downloader.planner.plan_events import KnownFailure, planned, reminder, requests, vanished
from services.downloader.planner.windows import WindowPlace
from shared.db.case_store import iterate_documents
from shared.db.engine import Database
from shared.domain.secrecy import is_public
from shared.domain.statuses import DocumentStatus, JobScope
from shared.events.process_requested import ProcessRequested
from shared.records import OutgoingRecord

_CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A request to plan. ``plan_id``: the same in a repeat; ``origin`` is the record's topic/partition/offset."""

    request: ProcessRequested
    traceparent: str | None
    plan_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class DecidedPlan:
    """What is written when a job is planned. ``place`` is the first window's, None when there is no other."""

    total: int
    available: int
    reminded: Sequence[str]
    first: Sequence[CatalogDocument]
    place: WindowPlace | None = None
    gone: Sequence[str] = ()
    lost: int = 0


def decide(
    connection: Connection,
    asked: PlanRequest,
    job: StoredJob | None,
    window: int,
    sizes: Mapping[str, int] | None = None,
) -> DecidedPlan:
    """What the job needs; of a large one also kept, for the windows that follow.

    ``sizes``: what the object store has, in bytes by key; None where that was not asked.
    A plan that is there already, because its request comes again, stays as it was decided: its windows may be on their
    way.
    """
    request = asked.request
    ids, again = wanted(request, job)
    rows = iterate_documents(connection, request.process_number, document_ids=ids)
    needs = needs_of_job((catalog_document(row, sizes) for row in rows), again=again, window=window)
    if not needs.rest:
        return DecidedPlan(needs.total, needs.available, needs.reminded, needs.first, lost=needs.lost)
    place = WindowPlace(asked.plan_id, 0, more=True)
    if plans.store_plan(connection, asked.plan_id, request.job_id, request.process_number, needs, window):
        return DecidedPlan(needs.total, needs.available, needs.reminded, needs.first, place, lost=needs.lost)
    stored = plans.stored_plan(connection, asked.plan_id)
    found = plans.claim_window(connection, place, request.job_id, request.process_number, asked.origin)
    first, gone = (found.documents, found.gone) if found is not None else ([], [])
    return DecidedPlan(stored.total, stored.available, stored.reminded, first, place, gone)


def wanted(request: ProcessRequested, job: StoredJob | None) -> tuple[Sequence[str] | None, bool]:
    """The documents of a job, None for all of its case, and whether those that failed for good are tried again.

    The request says it, or else the job's row does: no request names more documents than fit in an event.
    """
    if request.document_ids is not None:
        return request.document_ids, True
    if job is None:
        return None, False
    return (None, job.retry_failed) if job.scope == JobScope.WHOLE_CASE else ([job.scope], True)


class PlanRecords:
    """The records of a job. They can be read again from the start, as an aborted transaction needs.

    Earlier failures are read from the database while the records are written, a chunk at a time. Reading blocks, so the
    sink does it in a thread; it raises InfrastructureAway when the database goes away in the middle.
    """

    def __init__(
        self, database: Database, event_records: EventRecords, asked: PlanRequest, decided: DecidedPlan
    ) -> None:
        self._database = database
        self._asked = asked
        self._event_records = event_records
        self._decided = decided

    def __iter__(self) -> Iterator[OutgoingRecord]:
        request, decided, trace = self._asked.request, self._decided, self._asked.traceparent
        for start in range(0, len(decided.reminded), _CHUNK):
            yield from self._reminders(decided.reminded[start : start + _CHUNK])
        for document_id in decided.gone:
            yield self._event_records.reminded(vanished(request, document_id), trace)
        for event in requests(request, decided.first, decided.place):
            yield self._event_records.requested(event, trace)
        yield self._event_records.planned(planned(request, decided.total, decided.available), trace)

    def _reminders(self, ids: Sequence[str]) -> Iterator[OutgoingRecord]:
        """The failures as they stand; what has not failed any more is requested like the rest."""
        request, trace = self._asked.request, self._asked.traceparent
        keys = [DocumentKey(request.process_number, document_id) for document_id in ids]
        with self._database.transaction() as connection:
            failures = find_documents(connection, keys, status=DocumentStatus.FAILED)
            healed = [key.document_id for key in keys if key not in failures]
            documents, gone = plans.find_catalog(connection, request.process_number, healed) if healed else ([], [])
        for key, known in failures.items():
            failure = KnownFailure(known.error_code or "", known.error_message or "", known.attempts, known.revision)
            yield self._event_records.reminded(reminder(request, key.document_id, failure), trace)
        for document_id in gone:
            yield self._event_records.reminded(vanished(request, document_id), trace)
        for event in requests(request, documents):
            yield self._event_records.requested(event, trace)


def catalog_document(row: Any, sizes: Mapping[str, int] | None) -> CatalogDocument:
    """A row as the planner decides by it. ``sizes``: what the object store has of the case, None when nobody looked.

    A document that is recorded as available and is not there in that size counts as LOST.
    """
    lost = (
        sizes is not None
        and row.state == DocumentStatus.AVAILABLE
        and sizes.get(row.state_object_key) != row.state_size
    )
    return CatalogDocument(
        document_id=row.document_id,
        source_path=row.source_path,
        # The name of a sealed document stays in the catalog: events and objects do without.
        name=row.name if is_public(row.case_level, row.secrecy_level) else row.document_id,
        size=row.size,
        state=LOST if lost else row.state,
        error_code=row.state_error_code,
        content_type=row.content_type,
        rendition=row.rendition,
        revision=row.revision,
        state_revision=row.state_revision,
    )
