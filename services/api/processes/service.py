"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from services.api import ratelimit
from services.api.changes import announce
from services.api.jobs import repository as jobs
from services.api.jobs.model import ALL, Job
from services.api.links import LinkCache
from services.api.metrics import ApiMetrics
from services.api.problems import (
    CaseTooLarge,
    CaseUnreadable,
    DocumentNotFound,
    NoAccess,
    ProcessNotFound,
    ServiceUnavailable,
    SourceUnavailable,
    TooManyActiveJobs,
)
from services.api.processes import events, repository
from services.api.processes.decisions import Ask, Decision, Known, Step, decide, is_stale, must_read, must_verify
from services.api.processes.known import Seen, read_known, store_reading
from services.api.processes.outcome import ACCEPTED, JOINED, STORED, Answer, Outcome, Payment, Rules, show_case
from services.api.processes.source import Away, CaseReader, Forbidden, Found, Missing, Reading, Unchanged
from shared.clock import Clock
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.events.webhook_subscribed import subscription_id
from shared.kafka.records import OutgoingRecord
from shared.outbox.write import write

_ROUNDS: Final = 4
_ANSWERS: Final = {problem.code: problem for problem in (CaseTooLarge, CaseUnreadable)}
"""What is told at once of an answer that cannot be used, where no job will tell it later."""


@dataclass(frozen=True)
class _Todo:
    """What a look at the case leaves to do: read the source (again: it is stored, of this version), and decide."""

    read: bool
    again: bool = False
    version: str | None = None


Shown = TypeVar("Shown")

Show = Callable[[Connection, Outcome], Shown]
"""Reads what is shown of a case, in the transaction of the outcome."""


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
        return (await self._settle(ask, _nothing))[0]

    async def _settle(self, ask: Ask, show: Show[Shown]) -> tuple[Outcome, Shown]:
        payment = Payment()
        for _ in range(_ROUNDS):
            todo = await self._database.read(partial(self._look, ask=ask, show=show))
            if not isinstance(todo, _Todo):
                return todo
            reading: Reading | None = None
            if todo.read:
                # Outside of any transaction: the source may take its whole deadline.
                reading, payment = await self._read(ask, todo, payment)
            _refuse(ask, reading, self.limit_headers(payment.allowance))
            done = await self._database.run(partial(self._commit, ask=ask, reading=reading, payment=payment, show=show))
            if done is not None:
                if done[0].kind == ACCEPTED:
                    self._metrics.jobs_started.labels("all" if ask.scope == ALL else "document").inc()
                return done
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    async def _read(self, ask: Ask, todo: _Todo, payment: Payment) -> tuple[Reading, Payment]:
        if ask.defer:
            return Away("deferred"), payment
        allowance = payment.allowance

        async def pay() -> None:
            nonlocal allowance
            if allowance is None:
                spend = partial(ratelimit.spend, limit=self._rules.limit, client_id=ask.client_id)
                allowance = await self._database.read(spend)

        read = await self._reader.read(ask.number, ask.client_id, pay, again=todo.again, stored=todo.version)
        return read.reading, Payment(allowance, has_job=payment.has_job or read.client_id == ask.client_id)

    def _look(self, connection: Connection, ask: Ask, show: Show[Shown]) -> _Todo | tuple[Outcome, Shown]:
        """What is to be done; most requests find what they want, change nothing and end here.

        Raises RateLimited where no read will do so.
        """
        seen = read_known(connection, ask, self._rules.limit.name)
        known = seen.known
        if must_read(ask, known, self._rules.ttl_seconds):
            if ask.defer:
                allowance = ratelimit.decide(self._rules.limit, seen.tat, seen.now, cost=1)
                if not allowance.allowed:
                    raise ratelimit.refusal(self._rules.limit, allowance)
            return _Todo(read=True, again=known.fetched_at is not None, version=known.source_version)
        decision = self._decide(ask, known, None)
        if not _is_settled(connection, ask, decision):
            return _Todo(read=False)
        now = self._clock()
        self._note(connection, ask, seen, now)
        outcome = self._outcome(ask, seen, decision.job, None, now)
        if decision.job is not None and ask.webhook_url is not None:
            identity = subscription_id(decision.job.job_id, ask.client_id, ask.webhook_url)
            outcome = replace(outcome, subscription_id=identity)
        return outcome, show(connection, outcome)

    def _commit(
        self, connection: Connection, ask: Ask, reading: Reading | None, payment: Payment, show: Show[Shown]
    ) -> tuple[Outcome, Shown] | None:
        """Decide and write, holding the case. None: the case changed meanwhile and has to be looked at again.

        What is still to be paid is taken last, beside the transaction: whatever is refused before has cost nothing
        but a read, and the client's other requests do not wait for this one's commit.
        """
        lock_case(connection, ask.number)
        seen = read_known(connection, ask, self._rules.limit.name)
        if isinstance(reading, Found | Unchanged) and store_reading(connection, reading, seen.known):
            seen = seen.after_storing(reading, ask)
        if reading is None and must_read(ask, seen.known, self._rules.ttl_seconds):
            return None
        decision = self._decide(ask, seen.known, reading)
        now = self._clock()
        self._note(connection, ask, seen, now)
        outcome = self._outcome(ask, seen, decision.job, reading, now)
        records: list[OutgoingRecord] = []
        attaches = False
        if decision.step is Step.START:
            job, requested = self._start(connection, ask, seen.known, away=isinstance(reading, Away), now=now)
            outcome = replace(outcome, kind=ACCEPTED, job=job, marker=seen.marker.after(seen.known.fetched_at, job))
            records.append(requested)
        if ask.webhook_url is not None and outcome.job is not None:
            job = outcome.job
            identity, attaches = jobs.attach_webhook(connection, job, ask.client_id, ask.webhook_url, now)
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
        if not repository.is_noted(seen.noted_at, now):
            repository.record_request(connection, ask.client_id, ask.number, now)

    def _outcome(self, ask: Ask, seen: Seen, job: Job | None, reading: Reading | None, now: datetime) -> Outcome:
        fetched_at = seen.known.fetched_at
        return Outcome(
            JOINED if job is not None and not job.ended else STORED,
            job,
            marker=seen.marker,
            stored=fetched_at is not None,
            stale=isinstance(reading, Away) or is_stale(fetched_at, now, self._rules.ttl_seconds),
            subscription_id=None,
            allowance=ratelimit.decide(self._rules.limit, seen.tat, seen.now, cost=0),
        )

    def _start(
        self, connection: Connection, ask: Ask, known: Known, *, away: bool, now: datetime
    ) -> tuple[Job, OutgoingRecord]:
        if jobs.count_active(connection, ask.client_id) >= self._rules.max_active_jobs:
            raise TooManyActiveJobs(
                f"a client may have {self._rules.max_active_jobs} active jobs", headers={"Retry-After": "30"}
            )
        if known.last is not None:
            jobs.release_ended(connection, ask.number)
        job = jobs.create_job(
            connection,
            process_number=ask.number,
            client_id=ask.client_id,
            scope=ask.scope,
            discover=away,
            retry_failed=ask.retry_failed,
            webhook_url=ask.webhook_url,
            now=now,
        )
        wanted = [ask.document_id] if ask.document_id is not None else None
        return job, events.requested(ask, job, wanted, now, verify=must_verify(ask, known))


def _nothing(_connection: Connection, _outcome: Outcome) -> None:
    """Shows nothing."""


def _is_settled(connection: Connection, ask: Ask, decision: Decision) -> bool:
    """Whether the request changes nothing: no job to start, no webhook to attach. Then it need not hold the case."""
    if decision.step is not Step.ANSWER:
        return False
    if ask.webhook_url is None or decision.job is None:
        return True
    return jobs.is_attached(connection, decision.job, ask.client_id, ask.webhook_url)


def _refuse(ask: Ask, reading: Reading | None, headers: Mapping[str, str]) -> None:
    """What the source says definitively is passed on, whatever is stored: the case may have become secret."""
    if isinstance(reading, Missing):
        raise ProcessNotFound(f"the source does not know the case {ask.number}", headers=headers)
    if isinstance(reading, Forbidden):
        raise NoAccess(headers=headers)
