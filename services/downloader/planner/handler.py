"""The planner: handles one ProcessRequested after the other for the consumer runtime.

A request is a job to plan, or asks for the next window of a large job's documents. Everything that follows from it
leaves in the one Kafka transaction that has its offset. What is decided is in
:mod:`services.downloader.planner.needs` and :mod:`services.downloader.failures`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from services.downloader.catalog_reads import find_jobs
from services.downloader.failures import Abort, PutOff, after_discovery_failure
from services.downloader.metrics import DownloaderMetrics
from services.downloader.planner import plan_rows as plans
from services.downloader.planner.discovery import CaseFails, Discovery
from services.downloader.planner.needs import Place, requests, vanished
from services.downloader.planner.plan import Asked, Plan, decide
from services.downloader.records import ANSWERS_HEADER, Reports
from shared.db.engine import Database
from shared.errors import InfrastructureAway, PoisonRecord
from shared.events.document_events import JobAborted
from shared.events.envelope import decoder, deterministic_id, header, traceparent
from shared.events.process_requested import ProcessRequested
from shared.kafka.consumer.handling import Done
from shared.records import OutgoingRecord, Record
from shared.storage.sizes import ObjectSizes, ObjectStoreAway
from sources.errors import SourceError

DISCOVERIES: Final = "discoveries"
"""With a source's name the group of every request that must read it first: they share their places, and leave some
free."""

_log = logging.getLogger(__name__)

_decode = decoder(ProcessRequested)


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A job to plan. ``answers``: how many of the attempts before were answers about the case.

    ``origin`` is the record's topic/partition/offset; ``event_id`` its ``ce_id``, the same in every repeat of it.
    """

    request: ProcessRequested
    traceparent: str | None = None
    answers: int = 0
    origin: str = ""
    event_id: str = ""

    @property
    def not_before(self) -> float | None:
        """Seconds since the epoch."""
        due = self.request.not_before
        return None if due is None else due.timestamp()

    @property
    def plan_id(self) -> str:
        """The id of what is decided for this request: a repeat finds it, another request makes another."""
        return deterministic_id("plan", self.request.job_id, self.event_id or self.origin)


def group_of(task: PlanTask, source_of: Callable[[str], str]) -> str:
    """Jobs take turns; those that need a source do not take every place, nor another source's."""
    request = task.request
    return f"{DISCOVERIES}/{source_of(request.process_number)}" if request.discover else request.job_id


def decode(record: Record) -> PlanTask:
    """Raises PoisonRecord."""
    answers = header(record.headers, ANSWERS_HEADER) or ""
    return PlanTask(
        _decode(record),
        traceparent(record),
        int(answers) if answers.isascii() and answers.isdigit() and len(answers) < 10 else 0,
        origin=f"{record.topic}/{record.partition}/{record.offset}",
        event_id=header(record.headers, "ce_id") or "",
    )


class Planner:
    """The handler of the planner's runtime."""

    def __init__(
        self,
        database: Database,
        discovery: Discovery,
        objects: ObjectSizes,
        *,
        reports: Reports,
        delays: Sequence[float],
        window: int,
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._discovery = discovery
        self._objects = objects
        self._reports = reports
        self._delays = tuple(delays)
        self._window = window
        self._metrics = metrics

    async def handle(self, task: PlanTask) -> Done:
        """Raises PoisonRecord for a job of another case, and InfrastructureAway when the database is away, or the
        object store, if it is to be asked.
        """
        request = task.request
        jobs = await self._database.autocommit(lambda connection: find_jobs(connection, [request.job_id]))
        job = jobs.get(request.job_id)
        if job is not None and job.process_number != request.process_number:
            raise PoisonRecord("wrong_case", "the job is about another case")
        if job is not None and job.cancelled:
            # Its end is told already: by api, with the cancellation.
            self._metrics.jobs.labels("cancelled").inc()
            return Done()
        if request.plan_id is not None and request.resume_after is not None:
            return await self._release(task, request.plan_id, request.resume_after + 1)
        if request.discover:
            try:
                await self._discovery.run(request.process_number, again=request.attempt > 1)
            except SourceError as error:
                return Done(self._after(task, error))
            except CaseFails as fails:
                return Done(self._after(task, fails.error, about_case=True))
        asked = Asked(request, task.traceparent, task.plan_id, task.origin)
        sizes = await self._sizes(request.process_number) if request.verify else None
        decided = await self._database.run(lambda connection: decide(connection, asked, job, self._window, sizes))
        if decided.lost:
            _log.warning(
                "Available documents are not in the object store as recorded, and are fetched again",
                extra={"job_id": request.job_id, "count": decided.lost},
            )
        self._metrics.jobs.labels("planned").inc()
        return Done(Plan(self._database, self._reports, asked, decided))

    async def _sizes(self, process_number: str) -> Mapping[str, int]:
        try:
            return await self._objects.of_case(process_number)
        except ObjectStoreAway as away:
            raise InfrastructureAway("object store") from away

    async def _release(self, task: PlanTask, plan_id: str, number: int) -> Done:
        """The next window; nothing when it was released already, or the plan is over."""
        request = task.request

        def claim(connection: Connection) -> plans.Window | None:
            place = Place(plan_id, number, more=False)
            return plans.claim_window(connection, place, request.job_id, request.process_number, task.origin)

        window = await self._database.run(claim)
        if window is None:
            self._metrics.windows.labels("repeated").inc()
            return Done()
        self._metrics.windows.labels("released").inc()
        place = Place(plan_id, number, window.more)
        trace = task.traceparent
        records = [self._reports.requested(each, trace) for each in requests(request, window.documents, place)]
        records += [self._reports.reminded(vanished(request, each), trace) for each in window.gone]
        return Done(records)

    def _after(self, task: PlanTask, error: SourceError, *, about_case: bool = False) -> list[OutgoingRecord]:
        request, trace = task.request, task.traceparent
        decision = after_discovery_failure(
            error, attempt=request.attempt, answers=task.answers, delays=self._delays, about_case=about_case
        )
        match decision:
            case PutOff(attempt, answers, delay, code):
                self._metrics.jobs.labels("put_off").inc()
                return [
                    self._reports.put_off(
                        request, attempt=attempt, answers=answers, delay=delay, error=code, traceparent=trace
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
                records = [self._reports.aborted(aborted, trace)]
                if dead:
                    records.append(self._reports.process_dead(request, code, message, trace))
                return records
