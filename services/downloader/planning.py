"""The planner: handles one ProcessRequested after the other for the consumer runtime.

Everything that follows from a request leaves in the one Kafka transaction that has its offset. What is decided is in
:mod:`services.downloader.planner` and :mod:`services.downloader.failures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Row

from services.downloader.discovery import CaseFails, Discovery
from services.downloader.failures import Abort, PutOff, after_discovery_failure
from services.downloader.metrics import DownloaderMetrics
from services.downloader.planner import FAILED, CatalogDocument, plan
from services.downloader.reports import ANSWERS_HEADER, Reports
from services.downloader.stored import DocumentKey, find_documents, find_jobs
from shared.db.case_store import iterate_documents
from shared.db.engine import Database
from shared.events.document_events import DocumentFailed, JobAborted, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import decoder, header, traceparent
from shared.events.process_requested import ProcessRequested
from shared.kafka.errors import PoisonRecord
from shared.kafka.outcome import Done
from shared.kafka.records import OutgoingRecord, Record
from shared.pdpj.errors import SourceError, is_permanent

DISCOVERIES: Final = "discoveries"
"""The group of every request that must read the source first: they share their places, and leave some free."""

_CHUNK: Final = 1_000

_decode = decoder(ProcessRequested)


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A job to plan. ``answers``: how many of the attempts before were answers about the case."""

    request: ProcessRequested
    traceparent: str | None = None
    answers: int = 0

    @property
    def group(self) -> str:
        """Jobs take turns; those that need the source do not take every place."""
        return DISCOVERIES if self.request.discover else self.request.job_id

    @property
    def not_before(self) -> float | None:
        """Seconds since the epoch."""
        due = self.request.not_before
        return None if due is None else due.timestamp()


def decode(record: Record) -> PlanTask:
    """Raises PoisonRecord."""
    answers = header(record.headers, ANSWERS_HEADER) or ""
    return PlanTask(
        _decode(record),
        traceparent(record),
        int(answers) if answers.isascii() and answers.isdigit() else 0,
    )


class Planner:
    """The handler of the planner's runtime."""

    def __init__(
        self,
        database: Database,
        discovery: Discovery,
        *,
        reports: Reports,
        delays: Sequence[float],
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._discovery = discovery
        self._reports = reports
        self._delays = tuple(delays)
        self._metrics = metrics

    async def handle(self, task: PlanTask) -> Done:
        """Raises InfrastructureAway when the database is away, and PoisonRecord for a job of another case."""
        request = task.request
        jobs = await self._database.read(lambda connection: find_jobs(connection, [request.job_id]))
        job = jobs.get(request.job_id)
        if job is not None and job.process_number != request.process_number:
            raise PoisonRecord("wrong_case", "the job is about another case")
        if job is not None and job.cancelled:
            # Its end is told already: by api, with the cancellation.
            self._metrics.jobs.labels("cancelled").inc()
            return Done()
        if request.discover:
            try:
                await self._discovery.run(request.process_number, again=request.attempt > 1)
            except SourceError as error:
                return Done(self._after(task, error))
            except CaseFails as fails:
                return Done(self._after(task, fails.error, about_case=True))
        self._metrics.jobs.labels("planned").inc()
        return Done(Plan(self._database, task, self._reports))

    def _after(self, task: PlanTask, error: SourceError, *, about_case: bool = False) -> list[OutgoingRecord]:
        request, traceparent = task.request, task.traceparent
        decision = after_discovery_failure(
            error, attempt=request.attempt, answers=task.answers, delays=self._delays, about_case=about_case
        )
        match decision:
            case PutOff(attempt, answers, delay, code):
                self._metrics.jobs.labels("put_off").inc()
                return [
                    self._reports.put_off(
                        request, attempt=attempt, answers=answers, delay=delay, error=code, traceparent=traceparent
                    )
                ]
            case Abort(code, message, dead):
                self._metrics.jobs.labels("aborted").inc()
                aborted = JobAborted(
                    job_id=request.job_id,
                    process_number=request.process_number,
                    error_code=code,
                    error_message=message,
                    created_at=request.created_at,
                )
                records = [self._reports.aborted(aborted, traceparent)]
                if dead:
                    records.append(self._reports.process_dead(request, code, message, traceparent))
                return records


class Plan:
    """The records of a job, read from the database while they are written: never more than a chunk is in memory.

    It can be read again from the start, as an aborted transaction needs. Reading blocks, so the sink does it in a
    thread; it raises InfrastructureAway when the database goes away in the middle.
    """

    def __init__(self, database: Database, task: PlanTask, reports: Reports) -> None:
        self._database = database
        self._task = task
        self._reports = reports

    def __iter__(self) -> Iterator[OutgoingRecord]:
        with self._database.transaction() as connection:
            for event in plan(self._task.request, self._documents(connection)):
                yield self._record(event)

    def _documents(self, connection: Connection) -> Iterator[CatalogDocument]:
        request = self._task.request
        rows = iterate_documents(connection, request.process_number, document_ids=request.document_ids)
        while chunk := list(islice(rows, _CHUNK)):
            yield from _with_failures(connection, chunk)

    def _record(self, event: DocumentRequested | DocumentFailed | JobPlanned) -> OutgoingRecord:
        traceparent = self._task.traceparent
        match event:
            case DocumentRequested():
                return self._reports.requested(event, traceparent)
            case DocumentFailed():
                return self._reports.reminded(event, traceparent)
            case JobPlanned():
                return self._reports.planned(event, traceparent)


def _with_failures(connection: Connection, rows: Iterable[Row[Any]]) -> Iterator[CatalogDocument]:
    """The rows, and of those that failed for good what was said about it."""
    rows = list(rows)
    final = [
        DocumentKey(row.process_number, row.document_id)
        for row in rows
        if row.state == FAILED and is_permanent(row.state_error_code)
    ]
    failures = find_documents(connection, final, status=FAILED)
    for row in rows:
        failure = failures.get(DocumentKey(row.process_number, row.document_id))
        yield CatalogDocument(
            document_id=row.document_id,
            source_path=row.source_path,
            name=row.name,
            size=row.size,
            state=row.state,
            error_code=row.state_error_code,
            error_message=None if failure is None else failure.error_message,
            attempts=0 if failure is None else failure.attempts,
        )
