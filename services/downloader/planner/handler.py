"""The planner: handles one ProcessRequested after the other for the consumer runtime.

A request is a job to plan, or asks for the next window of a large job's documents. Its way: ``decode``, then
``Planner.handle``; that reads the case from the source when it must (discovery.py), decides the plan (plan.py, by
needed_documents.py and windows.py) and answers with its records (plan_events.py). The sink writes these and the
request's offset in one Kafka transaction (transactional_sink.py). What follows from a failure of the source is in
:mod:`services.downloader.retry_policy`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from services.downloader.event_records import EventRecords
from services.downloader.metrics import DownloaderMetrics
from services.downloader.planner import plan_rows as plans
from services.downloader.planner.discovery import CaseDeleted, CaseFails, Discovery
from services.downloader.planner.plan import PlanRecords, PlanRequest
from services.downloader.planner.plan_events import requests, vanished
from services.downloader.planner.small_plans import NoPlan, PlanDecisions, ToPlan, look
from services.downloader.planner.task import PlanTask
from services.downloader.planner.windows import WindowPlace
from services.downloader.retry_policy import Abort, PutOff, after_discovery_failure
from shared.db.engine import Database
from shared.errors import InfrastructureAway, PoisonRecord
from shared.events.document_events import JobAborted
from shared.kafka.consumer.handling import Done
from shared.records import OutgoingRecord
from shared.storage.sizes import ObjectSizes, ObjectStoreAway
from shared.tracing.conventions import JOB_ID
from shared.tracing.spans import annotate, traceparent_now
from sources.errors import SourceError

_log = logging.getLogger(__name__)


class Planner:
    """The handler of the planner's runtime."""

    def __init__(
        self,
        database: Database,
        discovery: Discovery,
        objects: ObjectSizes,
        *,
        event_records: EventRecords,
        delays: Sequence[float],
        window: int,
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._discovery = discovery
        self._objects = objects
        self._event_records = event_records
        self._delays = tuple(delays)
        self._decisions = PlanDecisions(database, window)
        self._metrics = metrics

    async def handle(self, task: PlanTask) -> Done:
        """The records of a plan, of a window, or of the next attempt; nothing for a job that is cancelled.

        May read a case at the source, for AUTOS_DISCOVERY_TIMEOUT seconds at most. Safe to repeat: the records of a
        repeat have the same ids.

        Raises:
            PoisonRecord: the job is about another case.
            InfrastructureAway: the database is away, or the object store where it is asked (``verify``).
        """
        request = task.request
        annotate({JOB_ID: request.job_id})
        asked = PlanRequest(request, traceparent_now(task.traceparent), task.plan_id, task.origin)
        resumed = request.plan_id is not None and request.resume_after is not None
        # Most are asked about with their plan; what is done before that is not to be done for nothing.
        early = resumed or request.discover or request.verify
        if early and (refused := await self._look(asked)) is not None:
            return self._nothing(refused)
        if request.plan_id is not None and request.resume_after is not None:
            return await self._release(task, request.plan_id, request.resume_after + 1)
        if request.discover:
            try:
                await self._discovery.run(request.process_number, request.job_id, again=request.attempt > 1)
            except CaseDeleted:
                return self._nothing(NoPlan.DELETED)
            except SourceError as error:
                return Done(self._after(task, error))
            except CaseFails as fails:
                return Done(self._after(task, fails.error, about_case=True))
        sizes = await self._sizes(request.process_number) if request.verify else None
        decided = await self._decisions.decide(ToPlan(asked, sizes))
        if isinstance(decided, NoPlan):
            return self._nothing(decided)
        if decided.lost:
            _log.warning(
                "Available documents are not in the object store as recorded, and are fetched again",
                extra={"job_id": request.job_id, "count": decided.lost},
            )
        self._metrics.jobs.labels("planned").inc()
        # The records are made later, by whoever writes them.
        return Done(PlanRecords(self._database, self._event_records, asked, decided))

    async def _look(self, asked: PlanRequest) -> NoPlan | None:
        """Why there is nothing to do for a request, as things stand now."""
        _, refused = await self._database.autocommit(lambda connection: look(connection, asked))
        return refused

    def _nothing(self, refused: NoPlan) -> Done:
        """Nothing follows from a request whose case was deleted, nor from one whose end api has announced with the
        cancellation. Raises PoisonRecord for a job that is about another case.
        """
        if refused is NoPlan.WRONG_CASE:
            raise PoisonRecord("wrong_case", "the job is about another case")
        self._metrics.jobs.labels("deleted" if refused is NoPlan.DELETED else "cancelled").inc()
        return Done()

    async def _sizes(self, process_number: str) -> Mapping[str, int]:
        try:
            return await self._objects.of_case(process_number)
        except ObjectStoreAway as away:
            raise InfrastructureAway("object store") from away

    async def _release(self, task: PlanTask, plan_id: str, number: int) -> Done:
        """The next window; nothing when it was released already, or the plan is over."""
        request = task.request

        def claim(connection: Connection) -> plans.Window | None:
            place = WindowPlace(plan_id, number, more=False)
            return plans.claim_window(connection, place, request.job_id, request.process_number, task.origin)

        window = await self._database.run(claim)
        if window is None:
            self._metrics.windows.labels("repeated").inc()
            return Done()
        self._metrics.windows.labels("released").inc()
        place = WindowPlace(plan_id, number, window.more)
        trace = task.traceparent
        records = [self._event_records.requested(each, trace) for each in requests(request, window.documents, place)]
        records += [self._event_records.reminded(vanished(request, each), trace) for each in window.gone]
        return Done(records)

    def _after(self, task: PlanTask, error: SourceError, *, about_case: bool = False) -> list[OutgoingRecord]:
        """The records that follow a failed reading: the discovery again, later, or the job's end.

        Where the attempts are used up, a dead letter goes with the end. ``about_case``: the failure counts as an answer
        about the case, of which there are only so many (``delays``).
        """
        request, trace = task.request, task.traceparent
        decision = after_discovery_failure(
            error, attempt=request.attempt, answers=task.answers, delays=self._delays, about_case=about_case
        )
        match decision:
            case PutOff(attempt, answers, delay, code):
                self._metrics.jobs.labels("put_off").inc()
                return [
                    self._event_records.put_off(
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
                records = [self._event_records.aborted(aborted, trace)]
                if dead:
                    records.append(self._event_records.process_dead(request, code, message, trace))
                return records
