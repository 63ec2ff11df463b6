"""Answers requests for a case: reads the source when that is due, starts or joins a job, attaches the webhook."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

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
from services.api.processes import repository
from services.api.processes.decisions import Ask, Decision, Known, Step, decide, is_stale, must_read
from services.api.processes.reading import CaseParts, read_case
from services.api.processes.source import Away, CaseReader, Forbidden, Found, Missing, Reading
from shared.clock import Clock
from shared.db import catalog, progress
from shared.db.case_store import lock_case, store_case
from shared.db.engine import Database
from shared.events import topics
from shared.events.envelope import deterministic_id, encode
from shared.events.process_requested import ProcessRequested
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.kafka.records import OutgoingRecord
from shared.outbox.write import write

SOURCE: Final = "/autos/api"
_ROUNDS: Final = 4


@dataclass(frozen=True)
class Answer:
    """The ProcessView, whether anything of the case is stored yet, and what to tell of the client's allowance."""

    view: dict[str, Any]
    stored: bool
    headers: dict[str, str]
    outcome: str
    """``accepted`` (a job was started), ``joined`` (one is running) or ``stored``."""


@dataclass(frozen=True)
class Rules:
    """The settings that requests are decided by. Seconds."""

    ttl_seconds: float
    limit: ratelimit.Limit
    max_active_jobs: int


@dataclass(frozen=True)
class _Committed:
    parts: CaseParts
    allowance: ratelimit.Allowance | None
    outcome: str


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
        """Carry out a request.

        Raises the problems ProcessNotFound, NoAccess, DocumentNotFound, RateLimited, TooManyActiveJobs, and
        SourceUnavailable when only metadata is wanted, nothing is stored and the source cannot be read.
        """
        for _ in range(_ROUNDS):
            due, again = await self._database.run(lambda connection: self._look(connection, ask))
            # Outside of any transaction: the source may take its whole deadline.
            reading = await self._reader.read(ask.number, again=again) if due else None
            _refuse(ask, reading)
            done = await self._database.run(lambda connection, read=reading: self._commit(connection, ask, read))  # type: ignore[misc]
            if done is not None:
                return await self._answer(done)
        raise ServiceUnavailable("the case is changing too fast, try again", headers={"Retry-After": "1"})

    async def _answer(self, done: _Committed) -> Answer:
        view = await asyncio.to_thread(done.parts.process, self._links)
        headers = ratelimit.headers(self._rules.limit, done.allowance) if done.allowance is not None else {}
        if done.outcome == "accepted" and done.parts.job is not None:
            self._metrics.jobs_started.labels("all" if done.parts.job.scope == ALL else "document").inc()
        return Answer(view, done.parts.case is not None, headers, done.outcome)

    def _look(self, connection: Connection, ask: Ask) -> tuple[bool, bool]:
        """Whether the source must be read, and whether again. Raises RateLimited before that is done for nothing."""
        known = _known(connection, ask)
        due = must_read(ask, known, self._rules.ttl_seconds)
        if due and ask.download:
            allowance = ratelimit.look(connection, self._rules.limit, ask.client_id, cost=1)
            if not allowance.allowed:
                raise ratelimit.refusal(self._rules.limit, allowance)
        return due, known.fetched_at is not None

    def _commit(self, connection: Connection, ask: Ask, reading: Reading | None) -> _Committed | None:
        """Decide and write, holding the case. None: the case changed meanwhile and has to be looked at again."""
        now = self._clock()
        known = _known(connection, ask)
        # Most requests find what they want and change nothing: they need not wait for each other.
        settled = reading is None and self._changes_nothing(connection, ask, known)
        if not settled:
            lock_case(connection, ask.number)
            if isinstance(reading, Found):
                _store(connection, reading)
            known = _known(connection, ask)
        due = must_read(ask, known, self._rules.ttl_seconds)
        if due and reading is None:
            return None
        decision = decide(ask, known, was_due=reading is not None)
        if decision.step is Step.UNKNOWN_DOCUMENT:
            raise DocumentNotFound
        repository.record_request(connection, ask.client_id, ask.number, now)
        if known.fetched_at is None and not ask.download and known.running is None:
            raise SourceUnavailable(headers={"Retry-After": "30"})
        job, allowance, outcome = self._job(connection, ask, decision, away=isinstance(reading, Away), now=now)
        subscription = _subscribe(connection, ask, job, now) if ask.webhook_url is not None and job else None
        stale = isinstance(reading, Away) or is_stale(known.fetched_at, now, self._rules.ttl_seconds)
        parts = read_case(
            connection,
            ask.number,
            ask.client_id,
            job,
            subscription_id=subscription,
            stale=stale and known.fetched_at is not None,
        )
        return _Committed(parts, allowance, outcome)

    def _changes_nothing(self, connection: Connection, ask: Ask, known: Known) -> bool:
        if must_read(ask, known, self._rules.ttl_seconds):
            return False
        decision = decide(ask, known, was_due=False)
        if decision.step is not Step.ANSWER:
            return False
        if ask.webhook_url is None or decision.job is None:
            return True
        return jobs.is_attached(connection, decision.job, ask.client_id, ask.webhook_url)

    def _job(
        self, connection: Connection, ask: Ask, decision: Decision, *, away: bool, now: datetime
    ) -> tuple[Job | None, ratelimit.Allowance | None, str]:
        if decision.step is not Step.START:
            allowance = ratelimit.look(connection, self._rules.limit, ask.client_id) if ask.download else None
            running = decision.job is not None and not decision.job.ended
            return decision.job, allowance, "joined" if running else "stored"
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
        requested = ProcessRequested(
            job_id=job.job_id,
            process_number=ask.number,
            client_id=ask.client_id,
            document_ids=wanted,
            discover=away,
            created_at=now,
        )
        event_id = deterministic_id("process.requested", job.job_id)
        record = encode(
            requested, topics.PROCESS_REQUESTED, event_id=event_id, source=SOURCE, time=now, traceparent=ask.traceparent
        )
        write(connection, catalog.outbox, [record], now=now)
        announce(connection, ask.number)
        return job, allowance, "accepted"


def _known(connection: Connection, ask: Ask) -> Known:
    fetched_at = connection.execute(
        select(catalog.processes.c.fetched_at).where(catalog.processes.c.process_number == ask.number)
    ).scalar_one_or_none()
    case_job = jobs.last_of_scope(connection, ask.number, ALL)
    if ask.document_id is None:
        # Only shown when nothing is to be downloaded: it says that there was a job at all.
        other = jobs.last_of_case(connection, ask.number) if not ask.download else None
        return Known(fetched_at, case_job, other)
    row = connection.execute(
        select(catalog.documents.c.document_id, progress.documents.c.status)
        .join(
            progress.documents,
            (progress.documents.c.process_number == catalog.documents.c.process_number)
            & (progress.documents.c.document_id == catalog.documents.c.document_id),
            isouter=True,
        )
        .where(catalog.documents.c.process_number == ask.number, catalog.documents.c.document_id == ask.document_id)
    ).one_or_none()
    return Known(
        fetched_at,
        case_job,
        jobs.last_of_scope(connection, ask.number, ask.document_id),
        document_known=row is not None,
        document_available=row is not None and row.status == "available",
    )


def _store(connection: Connection, reading: Found) -> None:
    """Store what was read, unless a request of the same moment has stored it (or something newer) already."""
    stored = connection.execute(
        select(catalog.processes.c.fetched_at).where(catalog.processes.c.process_number == reading.case.process_number)
    ).scalar_one_or_none()
    if stored is None or stored < reading.fetched_at:
        store_case(connection, reading.case, fetched_at=reading.fetched_at)


def _subscribe(connection: Connection, ask: Ask, job: Job, now: datetime) -> str:
    """Have the URL called when the job ends (at once when it has ended). Returns the subscription's id."""
    assert ask.webhook_url is not None
    identity, is_new = jobs.attach_webhook(connection, job, ask.client_id, ask.webhook_url, now)
    if is_new:
        write(connection, catalog.outbox, [_subscribed(ask, job, identity, now)], now=now)
        announce(connection, ask.number)
    return identity


def _subscribed(ask: Ask, job: Job, identity: str, now: datetime) -> OutgoingRecord:
    assert ask.webhook_url is not None
    event = WebhookSubscribed(
        subscription_id=identity,
        job_id=job.job_id,
        process_number=ask.number,
        client_id=ask.client_id,
        url=ask.webhook_url,
    )
    return encode(
        event,
        topics.WEBHOOK_SUBSCRIBED,
        event_id=deterministic_id("webhook.subscribed", identity),
        source=SOURCE,
        time=now,
        traceparent=ask.traceparent,
    )


def _refuse(ask: Ask, reading: Reading | None) -> None:
    """What the source says definitively is passed on, whatever is stored: the case may have become secret."""
    if isinstance(reading, Missing):
        raise ProcessNotFound(f"the source does not know the case {ask.number}")
    if isinstance(reading, Forbidden):
        raise NoAccess
