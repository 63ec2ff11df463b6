"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import Depends

from services.api.access import rate_limit as ratelimit
from services.api.access.charges import RateLimitCharges
from services.api.access.rate_limit import RateLimited
from services.api.http.problems import Problem, ServiceUnavailable
from services.api.http.provided import provided
from services.api.metrics import ApiMetrics
from services.api.processes.request.answer import (
    CaseAnswer,
    OutcomeKind,
    RequestOutcome,
    RequestRefusal,
    Show,
    Shown,
    show_case,
    show_nothing,
)
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.plans import AnsweredFromStore, CaseHidden, ReadPlan
from services.api.processes.request.rate_limit_charge import RateLimitCharge
from services.api.processes.request.request_log import record_request
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.source_problems import not_found, refuse
from services.api.processes.request.source_reader import CaseUnread, SourceAnswer, SourceReader
from services.api.processes.request.start_notices import StartNotices
from services.api.processes.request.transactions import RequestTransactions
from services.api.processes.request.unknown_case import UnknownCases
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.tags import EntityTags
from shared.clock import Clock
from shared.db.engine import Database

_ROUNDS: Final = 4


class CaseService:
    """Turns a client's request into metadata, a job and a subscription. For any number of requests at once.

    A request looks whether anything is known of the case, and at what is in a read-only snapshot, which is enough for
    most; reads the source when it must, outside of any transaction; and commits in one transaction that holds the case.
    When the case changed meanwhile it begins anew.
    """

    def __init__(
        self,
        database: Database,
        reader: SourceReader,
        links: LinkCache,
        clock: Clock,
        rules: RequestRules,
        metrics: ApiMetrics,
        notices: StartNotices,
    ) -> None:
        self._database = database
        self._reader = reader
        self._links = links
        self._tags = EntityTags(clock)
        self._transactions = RequestTransactions(rules, clock, database.aside)
        self._unknown = UnknownCases(database)
        self._limit = rules.limit
        self._charges = RateLimitCharges(database, rules.limit)
        self._metrics = metrics
        self._notices = notices

    async def ask(self, request: CaseRequest) -> CaseAnswer:
        """Carry out a request and show the case. Commits.

        Raises:
            ProcessNotFoundProblem, NoAccessProblem: what the source says of the case; also of one that the client may
                not see.
            DocumentNotFoundProblem: the case has no such document.
            RateLimited, TooManyActiveJobs: a limit of the client.
            SourceUnavailableProblem: only metadata is wanted, nothing is stored and the source cannot be read.
            ServiceUnavailable: the case keeps changing; try again.
        """
        outcome, parts = await self._carry_out(request, partial(show_case, request=request), RateLimitCharge())
        view = await self._links.build(parts.process, len(parts.documents))
        tag = self._tags.of(
            outcome.version, outcome.sight, view["webhook"], view["stale"], request.documents, view["reference"]
        )
        return CaseAnswer(view, outcome, tag, self.limit_headers(outcome.allowance))

    def limit_headers(self, allowance: ratelimit.Allowance | None) -> dict[str, str]:
        """The headers that say how the client's limit stands."""
        return ratelimit.headers(self._limit, allowance) if allowance is not None else {}

    async def accept(self, request: CaseRequest) -> RequestOutcome | RequestRefusal:
        """Carry out a request without showing the case, or say why not: no problem is raised."""
        charge = RateLimitCharge()
        try:
            return (await self._carry_out(request, show_nothing, charge))[0]
        except RateLimited as problem:
            return RequestRefusal(problem, problem.allowance)
        except Problem as problem:
            return RequestRefusal(problem, charge.allowance)

    async def _carry_out(
        self, request: CaseRequest, show: Show[Shown], charge: RateLimitCharge
    ) -> tuple[RequestOutcome, Shown]:
        """Look, read where the look says so, and commit, until the case holds still between the look and the commit.

        Raises what ``refuse`` and ``commit`` raise, and ServiceUnavailable after _ROUNDS rounds.
        """
        for _ in range(_ROUNDS):
            plan = await self._look(request, show)
            if isinstance(plan, AnsweredFromStore):
                await self._note(request, plan.noted_at)
                return plan.outcome, plan.shown
            reading: SourceAnswer | None = None
            if plan.read:
                # Outside of any transaction: the source may take its whole deadline.
                reading = await self._read(request, plan, charge)
            headers = self.limit_headers(charge.allowance)
            refuse(request, reading, headers)
            commit = partial(
                self._transactions.commit, request=request, plan=plan, reading=reading, charge=charge, show=show
            )
            done = await self._database.run(commit)
            if isinstance(done, CaseHidden):
                raise not_found(request, headers)
            if done is not None:
                if done[0].kind is OutcomeKind.ACCEPTED:
                    self._notices.tell(request.number)
                    self._metrics.jobs_started.labels("all" if request.document_id is None else "document").inc()
                return done
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    async def _look(self, request: CaseRequest, show: Show[Shown]) -> ReadPlan | AnsweredFromStore[Shown]:
        if await self._unknown.has(request):
            return ReadPlan(read=True, unknown=True)
        return await self._database.snapshot(partial(self._transactions.look, request=request, show=show))

    async def _note(self, request: CaseRequest, noted_at: datetime | None) -> None:
        if noted_at is not None:
            note = partial(record_request, viewer=request.viewer, process_number=request.number, now=noted_at)
            await self._database.autocommit(note)

    async def _read(self, request: CaseRequest, plan: ReadPlan, charge: RateLimitCharge) -> SourceAnswer:
        if plan.defer:
            return CaseUnread("deferred")

        async def charge_once() -> None:
            if charge.allowance is None:
                charge.allowance = await self._charges.spend(request.client_id)

        read = await self._reader.read(
            request.number, request.client_id, charge_once, again=plan.again, stored=plan.version
        )
        charge.covers_job = charge.covers_job or read.client_id == request.client_id
        return read.reading


Cases = Annotated[CaseService, Depends(provided(CaseService))]
