"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from services.api.access import rate_limit as ratelimit
from services.api.documents.links import LinkCache
from services.api.http.problems import (
    CaseTooLarge,
    CaseUnreadable,
    DocumentNotFound,
    ServiceUnavailable,
    SourceUnavailable,
)
from services.api.jobs import participants
from services.api.jobs.model import ALL, Job
from services.api.metrics import ApiMetrics
from services.api.processes.follow.changes import announce
from services.api.processes.request import events
from services.api.processes.request.askers import is_noted, record_request
from services.api.processes.request.checks import is_hidden, is_settled, not_found, refuse
from services.api.processes.request.decisions import (
    Ask,
    Decision,
    Known,
    Step,
    decide,
    is_stale,
    must_read,
    needs_own_reading,
)
from services.api.processes.request.discovery import Away, CaseReader, Found, Reading, Unchanged
from services.api.processes.request.known import Seen, read_known, store_reading
from services.api.processes.request.outcome import (
    ACCEPTED,
    JOINED,
    STORED,
    Answer,
    Hidden,
    Outcome,
    Payment,
    Rules,
    Show,
    Shown,
    Todo,
    show_case,
    show_nothing,
)
from services.api.processes.request.starting import start_job
from shared.clock import Clock
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.domain.secrecy import Sight
from shared.events.webhook_subscribed import subscription_id
from shared.outbox.write import write
from shared.records import OutgoingRecord

_ROUNDS: Final = 4
_ANSWERS: Final = {problem.code: problem for problem in (CaseTooLarge, CaseUnreadable)}
"""What is told at once of an answer that cannot be used, where no job will tell it later."""


class CaseService:
    """The one way in which a client's wish becomes metadata, a job and a subscription."""

    def __init__(
        self, database: Database, reader: CaseReader, links: LinkCache, clock: Clock, rules: Rules, metrics: ApiMetrics
    ) -> None:
        self._database = database
        self._reader = reader
        self._links = links
        self._clock = clock
        self._rules = rules
        self._metrics = metrics

    async def ask(self, ask: Ask) -> Answer:
        """Carry out a request and show the case.

        Raises the problems ProcessNotFound, NoAccess, DocumentNotFound, RateLimited, TooManyActiveJobs, and
        SourceUnavailable when only metadata is wanted, nothing is stored and the source cannot be read.
        """
        outcome, parts = await self._settle(ask, partial(show_case, ask=ask))
        view = await self._links.build(parts.process, len(parts.documents))
        return Answer(view, outcome, self.limit_headers(outcome.allowance))

    def limit_headers(self, allowance: ratelimit.Allowance | None) -> dict[str, str]:
        """The headers that tell how the client's limit stands."""
        return ratelimit.headers(self._rules.limit, allowance) if allowance is not None else {}

    async def accept(self, ask: Ask) -> Outcome:
        """Carry out a request without showing the case. Raises as :meth:`ask`."""
        return (await self._settle(ask, show_nothing))[0]

    async def _settle(self, ask: Ask, show: Show[Shown]) -> tuple[Outcome, Shown]:
        payment = Payment()
        for _ in range(_ROUNDS):
            todo = await self._database.read(partial(self._look, ask=ask, show=show))
            if not isinstance(todo, Todo):
                return todo
            reading: Reading | None = None
            if todo.read:
                # Outside of any transaction: the source may take its whole deadline.
                reading, payment = await self._read(ask, todo, payment)
            headers = self.limit_headers(payment.allowance)
            refuse(ask, reading, headers)
            done = await self._database.run(partial(self._commit, ask=ask, reading=reading, payment=payment, show=show))
            if isinstance(done, Hidden):
                raise not_found(ask, headers)
            if done is not None:
                if done[0].kind == ACCEPTED:
                    self._metrics.jobs_started.labels("all" if ask.scope == ALL else "document").inc()
                return done
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    async def _read(self, ask: Ask, todo: Todo, payment: Payment) -> tuple[Reading, Payment]:
        if todo.defer:
            return Away("deferred"), payment
        allowance = payment.allowance

        async def pay() -> None:
            nonlocal allowance
            if allowance is None:
                spend = partial(ratelimit.spend, limit=self._rules.limit, client_id=ask.client_id)
                allowance = await self._database.read(spend)

        read = await self._reader.read(ask.number, ask.client_id, pay, again=todo.again, stored=todo.version)
        return read.reading, Payment(allowance, has_job=payment.has_job or read.client_id == ask.client_id)

    def _look(self, connection: Connection, ask: Ask, show: Show[Shown]) -> Todo | tuple[Outcome, Shown]:
        """What is to be done; most requests find what they want, change nothing and end here.

        Raises RateLimited where no read will do so.
        """
        seen = read_known(connection, ask, self._rules.limit.name)
        known = seen.known
        if must_read(ask, known, self._rules.ttl_seconds, share=self._rules.share):
            if ask.defer:
                allowance = ratelimit.decide(self._rules.limit, seen.tat, seen.now, cost=1)
                if not allowance.allowed:
                    raise ratelimit.refusal(self._rules.limit, allowance)
            if known.hides_from(ask.viewer):
                # As what was never stored.
                return Todo(read=True, defer=ask.defer)
            own = needs_own_reading(known, share=self._rules.share)
            version = None if own else known.source_version
            return Todo(read=True, again=known.fetched_at is not None, version=version, defer=ask.defer and not own)
        decision = self._decide(ask, known, None)
        sight = seen.sight(ask)
        if sight is None or not is_settled(connection, ask, decision):
            return Todo(read=False)
        now = self._clock()
        self._note(connection, ask, seen, now)
        outcome = self._outcome(ask, seen, sight, decision.job, None, now)
        if decision.job is not None and ask.webhook_url is not None:
            identity = subscription_id(decision.job.job_id, ask.client_id, ask.webhook_url)
            outcome = replace(outcome, subscription_id=identity)
        return outcome, show(connection, outcome)

    def _commit(
        self, connection: Connection, ask: Ask, reading: Reading | None, payment: Payment, show: Show[Shown]
    ) -> tuple[Outcome, Shown] | Hidden | None:
        """Decide and write, holding the case. None: the case changed meanwhile and has to be looked at again.

        What is still to be paid is taken last, beside the transaction: whatever is refused before has cost nothing
        but a read, and the client's other requests do not wait for this one's commit.
        """
        lock_case(connection, ask.number)
        seen = read_known(connection, ask, self._rules.limit.name)
        if isinstance(reading, Found) and seen.known.fetched_at is None and is_hidden(reading.case, ask):
            # Nobody who may see the case has asked for it: nothing of it is kept.
            return Hidden()
        if isinstance(reading, Found | Unchanged) and store_reading(connection, reading, seen.known):
            seen = seen.after_storing(reading, ask)
        if reading is None and must_read(ask, seen.known, self._rules.ttl_seconds, share=self._rules.share):
            return None
        sight = seen.sight(ask)
        if sight is None:
            return Hidden()
        if isinstance(reading, Away) and needs_own_reading(seen.known, share=self._rules.share):
            raise SourceUnavailable(headers={"Retry-After": "30"})
        decision = self._decide(ask, seen.known, reading)
        now = self._clock()
        self._note(connection, ask, seen, now)
        outcome = self._outcome(ask, seen, sight, decision.job, reading, now)
        records: list[OutgoingRecord] = []
        attaches = False
        if decision.step is Step.START:
            job, requested = start_job(
                connection, ask, seen.known, self._rules, away=isinstance(reading, Away), now=now
            )
            outcome = replace(outcome, kind=ACCEPTED, job=job, marker=seen.marker.after(seen.known.fetched_at, job))
            records.append(requested)
        elif ask.download and decision.job is not None and not decision.job.ended:
            participants.join(connection, decision.job, ask.client_id, now)
        if ask.webhook_url is not None and outcome.job is not None:
            job = outcome.job
            identity, attaches = participants.attach_webhook(
                connection, job, ask.client_id, ask.webhook_url, sealed=ask.viewer.sealed, now=now
            )
            outcome = replace(outcome, subscription_id=identity)
            if attaches:
                records.append(events.subscribed(ask, job, identity, ask.webhook_url, now))
        if records:
            write(connection, catalog.outbox, records, now=now)
            announce(connection, ask.number)
        shown = show(connection, outcome)
        if payment.is_due(starts=outcome.kind == ACCEPTED, attaches=attaches):
            with self._database.aside() as aside:
                return replace(outcome, allowance=ratelimit.spend(aside, self._rules.limit, ask.client_id)), shown
        return replace(outcome, allowance=payment.allowance or outcome.allowance), shown

    def _decide(self, ask: Ask, known: Known, reading: Reading | None) -> Decision:
        decision = decide(ask, known, was_due=reading is not None)
        if decision.step is Step.UNKNOWN_DOCUMENT:
            raise DocumentNotFound
        if known.fetched_at is None and not ask.download and known.running is None:
            if isinstance(reading, Away) and (refusal := _ANSWERS.get(reading.code)) is not None:
                raise refusal
            raise SourceUnavailable(headers={"Retry-After": "30"})
        return decision

    def _note(self, connection: Connection, ask: Ask, seen: Seen, now: datetime) -> None:
        gains = ask.viewer.sealed and not seen.asked_sealed
        if gains or not is_noted(seen.noted_at, now):
            record_request(connection, ask.viewer, ask.number, now)

    def _outcome(
        self, ask: Ask, seen: Seen, sight: Sight, job: Job | None, reading: Reading | None, now: datetime
    ) -> Outcome:
        fetched_at = seen.known.fetched_at
        return Outcome(
            JOINED if job is not None and not job.ended else STORED,
            job,
            marker=seen.marker,
            stored=fetched_at is not None,
            stale=isinstance(reading, Away) or is_stale(fetched_at, now, self._rules.ttl_seconds),
            subscription_id=None,
            allowance=ratelimit.decide(self._rules.limit, seen.tat, seen.now, cost=0),
            sight=sight,
        )
