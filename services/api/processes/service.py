"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from services.api import ratelimit
from services.api.changes import announce
from services.api.jobs import repository as jobs
from services.api.jobs.model import ALL, Job
from services.api.links import LinkCache
from services.api.metrics import ApiMetrics
from services.api.problems import (
    DocumentNotFound,
    NoAccess,
    ProcessNotFound,
    ServiceUnavailable,
    SourceUnavailable,
    TooManyActiveJobs,
)
from services.api.processes import events, repository
from services.api.processes.decisions import Ask, Known, Step, decide, is_stale, must_read
from services.api.processes.known import read_known, store_reading
from services.api.processes.reading import CaseParts, read_case
from services.api.processes.repository import Marker
from services.api.processes.source import Away, CaseReader, Forbidden, Found, Missing, Reading, Unchanged
from shared.clock import Clock
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.outbox.write import write

_ROUNDS: Final = 4


@dataclass(frozen=True)
class Rules:
    """The settings that requests are decided by. Seconds."""

    ttl_seconds: float
    limit: ratelimit.Limit
    max_active_jobs: int


@dataclass(frozen=True)
class Outcome:
    """What became of a request."""

    kind: str
    """``accepted`` (a job was started), ``joined`` (one is running) or ``stored``."""
    job: Job | None
    stored: bool
    """Whether anything of the case is stored yet."""
    stale: bool
    """Whether what is stored should have been read again, but could not be."""
    subscription_id: str | None
    allowance: ratelimit.Allowance | None


@dataclass(frozen=True)
class Answer:
    """The ProcessView, and what it is tagged and headed with."""

    view: dict[str, Any]
    outcome: Outcome
    marker: Marker
    headers: dict[str, str]


@dataclass(frozen=True)
class _Shown:
    outcome: Outcome
    parts: CaseParts
    marker: Marker


@dataclass(frozen=True)
class _Todo:
    """What a look at the case leaves to do: read the source (again: it is stored, of this version), and decide."""

    read: bool
    again: bool = False
    version: str | None = None


Shown = TypeVar("Shown")


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

        def show(connection: Connection, outcome: Outcome) -> _Shown:
            marker = repository.read_marker(connection, ask.number)
            assert marker is not None
            return _Shown(outcome, _read(connection, ask, outcome), marker)

        shown = await self._settle(ask, show)
        view = await asyncio.to_thread(shown.parts.process, self._links)
        allowance = shown.outcome.allowance
        headers = ratelimit.headers(self._rules.limit, allowance) if allowance is not None else {}
        return Answer(view, shown.outcome, shown.marker, headers)

    async def accept(self, ask: Ask) -> Outcome:
        """Carry out a request without showing the case. Raises as :meth:`ask`."""
        return await self._settle(ask, lambda _connection, outcome: outcome)

    async def _settle(self, ask: Ask, show: Callable[[Connection, Outcome], Shown]) -> Shown:
        for _ in range(_ROUNDS):
            todo = await self._database.run(lambda connection: self._look(connection, ask, show))
            if not isinstance(todo, _Todo):
                return todo
            reading: Reading | None = None
            if todo.read:
                # Outside of any transaction: the source may take its whole deadline.
                reading = (
                    Away("deferred")
                    if ask.defer
                    else await self._reader.read(ask.number, again=todo.again, stored=todo.version)
                )
            _refuse(ask, reading)
            commit = partial(self._commit, ask=ask, reading=reading, show=show)
            done = await self._database.run(commit)
            if done is not None:
                return done
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    def _look(self, connection: Connection, ask: Ask, show: Callable[[Connection, Outcome], Shown]) -> _Todo | Shown:
        """What is to be done; most requests find what they want, change nothing and end here.

        Raises RateLimited before the source is read for nothing.
        """
        known = read_known(connection, ask)
        if must_read(ask, known, self._rules.ttl_seconds):
            if ask.download:
                allowance = ratelimit.look(connection, self._rules.limit, ask.client_id, cost=1)
                if not allowance.allowed:
                    raise ratelimit.refusal(self._rules.limit, allowance)
            return _Todo(read=True, again=known.fetched_at is not None, version=known.source_version)
        if not _is_settled(connection, ask, known):
            return _Todo(read=False)
        return show(connection, self._conclude(connection, ask, known, None))

    def _commit(
        self, connection: Connection, ask: Ask, reading: Reading | None, show: Callable[[Connection, Outcome], Shown]
    ) -> Shown | None:
        """Decide and write, holding the case. None: the case changed meanwhile and has to be looked at again."""
        lock_case(connection, ask.number)
        if isinstance(reading, Found | Unchanged):
            store_reading(connection, reading)
        known = read_known(connection, ask)
        if reading is None and must_read(ask, known, self._rules.ttl_seconds):
            return None
        return show(connection, self._conclude(connection, ask, known, reading))

    def _conclude(self, connection: Connection, ask: Ask, known: Known, reading: Reading | None) -> Outcome:
        now = self._clock()
        decision = decide(ask, known, was_due=reading is not None)
        if decision.step is Step.UNKNOWN_DOCUMENT:
            raise DocumentNotFound
        if known.fetched_at is None and not ask.download and known.running is None:
            raise SourceUnavailable(headers={"Retry-After": "30"})
        repository.record_request(connection, ask.client_id, ask.number, now)
        away = isinstance(reading, Away)
        job: Job | None
        allowance: ratelimit.Allowance | None
        if decision.step is Step.START:
            job, allowance = self._start(connection, ask, away=away, now=now)
            kind = "accepted"
        else:
            job, allowance = decision.job, self._allowance(connection, ask)
            kind = "joined" if job is not None and not job.ended else "stored"
        return Outcome(
            kind,
            job,
            stored=known.fetched_at is not None,
            stale=away or is_stale(known.fetched_at, now, self._rules.ttl_seconds),
            subscription_id=_subscribe(connection, ask, job, now),
            allowance=allowance,
        )

    def _allowance(self, connection: Connection, ask: Ask) -> ratelimit.Allowance | None:
        return ratelimit.look(connection, self._rules.limit, ask.client_id) if ask.download else None

    def _start(self, connection: Connection, ask: Ask, *, away: bool, now: datetime) -> tuple[Job, ratelimit.Allowance]:
        if jobs.count_active(connection, ask.client_id) >= self._rules.max_active_jobs:
            raise TooManyActiveJobs(
                f"a client may have {self._rules.max_active_jobs} active jobs", headers={"Retry-After": "30"}
            )
        allowance = ratelimit.spend(connection, self._rules.limit, ask.client_id)
        jobs.release_ended(connection, ask.number)
        job = jobs.create_job(
            connection,
            process_number=ask.number,
            client_id=ask.client_id,
            scope=ask.scope,
            discover=away,
            webhook_url=ask.webhook_url,
            now=now,
        )
        wanted = [ask.document_id] if ask.document_id is not None else None
        if wanted is None and ask.retry_failed:
            wanted = repository.explicit_retry(connection, ask.number)
        write(connection, catalog.outbox, [events.requested(ask, job, wanted, now)], now=now)
        announce(connection, ask.number)
        self._metrics.jobs_started.labels("all" if job.scope == ALL else "document").inc()
        return job, allowance


def _read(connection: Connection, ask: Ask, outcome: Outcome) -> CaseParts:
    return read_case(
        connection,
        ask.number,
        ask.client_id,
        outcome.job,
        subscription_id=outcome.subscription_id,
        stale=outcome.stale and outcome.stored,
    )


def _is_settled(connection: Connection, ask: Ask, known: Known) -> bool:
    """Whether the request changes nothing: no job to start, no webhook to attach. Then it need not hold the case."""
    decision = decide(ask, known, was_due=False)
    if decision.step is not Step.ANSWER:
        return False
    if ask.webhook_url is None or decision.job is None:
        return True
    return jobs.is_attached(connection, decision.job, ask.client_id, ask.webhook_url)


def _subscribe(connection: Connection, ask: Ask, job: Job | None, now: datetime) -> str | None:
    """Have the URL called when the job ends (at once when it has ended): the subscription's id, if there is one."""
    if ask.webhook_url is None or job is None:
        return None
    identity, is_new = jobs.attach_webhook(connection, job, ask.client_id, ask.webhook_url, now)
    if is_new:
        write(connection, catalog.outbox, [events.subscribed(ask, job, identity, ask.webhook_url, now)], now=now)
        announce(connection, ask.number)
    return identity


def _refuse(ask: Ask, reading: Reading | None) -> None:
    """What the source says definitively is passed on, whatever is stored: the case may have become secret."""
    if isinstance(reading, Missing):
        raise ProcessNotFound(f"the source does not know the case {ask.number}")
    if isinstance(reading, Forbidden):
        raise NoAccess
