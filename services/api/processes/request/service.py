"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import Depends

from services.api.access import rate_limit as ratelimit
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
from services.api.processes.request.ask import Ask
from services.api.processes.request.payment import Payment
from services.api.processes.request.request_log import record_request
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.source_problems import not_found, refuse
from services.api.processes.request.source_reader import CaseUnread, SourceAnswer, SourceReader
from services.api.processes.request.transactions import Hidden, Looked, ReadPlan, RequestTransactions
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.tags import EntityTags
from shared.clock import Clock
from shared.db.engine import Database

_ROUNDS: Final = 4


class CaseService:
    """Turns a client's request into metadata, a job and a subscription."""

    def __init__(
        self,
        database: Database,
        reader: SourceReader,
        links: LinkCache,
        clock: Clock,
        rules: RequestRules,
        metrics: ApiMetrics,
    ) -> None:
        self._database = database
        self._reader = reader
        self._links = links
        self._tags = EntityTags(clock)
        self._transactions = RequestTransactions(rules, clock, database.aside)
        self._limit = rules.limit
        self._metrics = metrics

    async def ask(self, ask: Ask) -> CaseAnswer:
        """Carry out a request and show the case.

        Raises the problems ProcessNotFoundProblem, NoAccessProblem, DocumentNotFoundProblem, RateLimited and
        TooManyActiveJobs, and SourceUnavailableProblem when only metadata is wanted, nothing is stored and the source
        cannot be read.
        """
        outcome, parts = await self._carry_out(ask, partial(show_case, ask=ask), Payment())
        view = await self._links.build(parts.process, len(parts.documents))
        tag = self._tags.of(
            outcome.version, outcome.sight, view["webhook"], view["stale"], ask.documents, view["reference"]
        )
        return CaseAnswer(view, outcome, tag, self.limit_headers(outcome.allowance))

    def limit_headers(self, allowance: ratelimit.Allowance | None) -> dict[str, str]:
        """The headers that say how the client's limit stands."""
        return ratelimit.headers(self._limit, allowance) if allowance is not None else {}

    async def accept(self, ask: Ask) -> RequestOutcome | RequestRefusal:
        """Carry out a request without showing the case, or say why not: no problem is raised."""
        payment = Payment()
        try:
            return (await self._carry_out(ask, show_nothing, payment))[0]
        except RateLimited as problem:
            return RequestRefusal(problem, problem.allowance)
        except Problem as problem:
            return RequestRefusal(problem, payment.allowance)

    async def _carry_out(self, ask: Ask, show: Show[Shown], payment: Payment) -> tuple[RequestOutcome, Shown]:
        for _ in range(_ROUNDS):
            plan = await self._database.snapshot(partial(self._transactions.look, ask=ask, show=show))
            if isinstance(plan, Looked):
                await self._note(ask, plan.noted_at)
                return plan.outcome, plan.shown
            reading: SourceAnswer | None = None
            if plan.read:
                # Outside of any transaction: the source may take its whole deadline.
                reading = await self._read(ask, plan, payment)
            headers = self.limit_headers(payment.allowance)
            refuse(ask, reading, headers)
            commit = partial(self._transactions.commit, ask=ask, reading=reading, payment=payment, show=show)
            done = await self._database.run(commit)
            if isinstance(done, Hidden):
                raise not_found(ask, headers)
            if done is not None:
                if done[0].kind is OutcomeKind.ACCEPTED:
                    self._metrics.jobs_started.labels("all" if ask.document_id is None else "document").inc()
                return done
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    async def _note(self, ask: Ask, noted_at: datetime | None) -> None:
        if noted_at is not None:
            note = partial(record_request, viewer=ask.viewer, process_number=ask.number, now=noted_at)
            await self._database.autocommit(note)

    async def _read(self, ask: Ask, plan: ReadPlan, payment: Payment) -> SourceAnswer:
        if plan.defer:
            return CaseUnread("deferred")

        async def pay() -> None:
            if payment.allowance is None:
                spend = partial(ratelimit.spend, limit=self._limit, client_id=ask.client_id)
                payment.allowance = await self._database.autocommit(spend)

        read = await self._reader.read(ask.number, ask.client_id, pay, again=plan.again, stored=plan.version)
        payment.has_job = payment.has_job or read.client_id == ask.client_id
        return read.reading


Cases = Annotated[CaseService, Depends(provided(CaseService))]
