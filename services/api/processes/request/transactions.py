"""What a request does in the database: a look, which is enough for most, and a commit, which holds the case."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic

from sqlalchemy import Connection

from services.api.access import rate_limit as ratelimit
from services.api.http.problems import (
    CaseTooLargeProblem,
    CaseUnreadableProblem,
    DocumentNotFoundProblem,
    SourceUnavailableProblem,
)
from services.api.jobs import participants
from services.api.jobs.model import CaseJob
from services.api.jobs.participants import WantedWebhook
from services.api.jobs.references import give_reference, read_reference
from services.api.outbox import publish
from services.api.processes.follow.changes import announce
from services.api.processes.request import events
from services.api.processes.request.answer import OutcomeKind, RequestOutcome, Show, Shown
from services.api.processes.request.ask import Ask
from services.api.processes.request.decisions import (
    RequestDecision,
    RequestStep,
    StoredCase,
    decide,
    is_stale,
    must_read,
    needs_own_reading,
)
from services.api.processes.request.job_start import start_job
from services.api.processes.request.payment import Payment
from services.api.processes.request.request_log import is_noted, record_request
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.snapshot import CaseSnapshot, read_snapshot, store_reading
from services.api.processes.request.source_problems import is_hidden
from services.api.processes.request.source_reader import CaseFound, CaseUnchanged, CaseUnread, SourceAnswer
from services.api.webhooks.registered import has_endpoints
from shared.clock import Clock
from shared.db.case_store import lock_case
from shared.domain.secrecy import Sight
from shared.events.webhook_subscribed import subscription_id
from shared.records import OutgoingRecord

_ANSWERS: Final = {problem.code: problem for problem in (CaseTooLargeProblem, CaseUnreadableProblem)}
"""The problem of an answer of the source that cannot be used, where no job says so later."""


@dataclass(frozen=True)
class ReadPlan:
    """What a look at the case leaves to do: read the source first, or only commit."""

    read: bool
    again: bool = False
    """The case is stored, and has to be read anew."""
    version: str | None = None
    """The source's version of what is stored."""
    defer: bool = False
    """The source is left to the job."""


@dataclass(frozen=True)
class Looked(Generic[Shown]):
    """The answer to a request that changes nothing but the record that it was made."""

    outcome: RequestOutcome
    shown: Shown
    noted_at: datetime | None
    """When the request is to be recorded; None: another one of the last minute stands for it."""


@dataclass(frozen=True)
class Hidden:
    """The case does not exist for the client: what was read of it is stored, where it was stored before."""


@dataclass(frozen=True)
class _Changed:
    outcome: RequestOutcome
    records: list[OutgoingRecord]
    attaches: bool


class RequestTransactions:
    """The statements of one request. ``aside`` opens a connection that commits at once, beside a transaction."""

    def __init__(
        self, rules: RequestRules, clock: Clock, aside: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._aside = aside

    def look(self, connection: Connection, ask: Ask, show: Show[Shown]) -> ReadPlan | Looked[Shown]:
        """What is to be done; most requests find what they want, change nothing and end here. Writes nothing.

        Raises RateLimited where no read will do so.
        """
        snapshot = read_snapshot(connection, ask, self._rules.limit.name)
        stored = snapshot.stored
        if must_read(ask, stored, self._rules.ttl_seconds, share=self._rules.share):
            return self._plan(ask, snapshot)
        decision = _decide(ask, stored, None)
        sight = snapshot.sight(ask)
        if sight is None or not _changes_nothing(connection, ask, decision):
            return ReadPlan(read=False)
        if _is_news(connection, ask, snapshot, decision.job):
            return ReadPlan(read=False)
        now = self._clock()
        outcome = self._outcome(ask, snapshot, sight, decision.job, None, now)
        if decision.job is not None and ask.webhook_url is not None:
            identity = subscription_id(decision.job.job_id, ask.client_id, ask.webhook_url)
            outcome = replace(outcome, subscription_id=identity)
        noted_at = now if _must_note(ask, snapshot, now) else None
        return Looked(outcome, show(connection, outcome), noted_at)

    def commit(
        self, connection: Connection, ask: Ask, reading: SourceAnswer | None, payment: Payment, show: Show[Shown]
    ) -> tuple[RequestOutcome, Shown] | Hidden | None:
        """Decide and write, holding the case. None: the case changed meanwhile and has to be looked at again.

        What is still to be paid is taken last, beside the transaction: whatever is refused before has cost nothing
        but a read, and the client's other requests do not wait for this one's commit.
        """
        lock_case(connection, ask.number)
        snapshot = read_snapshot(connection, ask, self._rules.limit.name)
        if isinstance(reading, CaseFound) and snapshot.stored.fetched_at is None and is_hidden(reading.case, ask):
            # Nobody who may see the case has asked for it: nothing of it is kept.
            return Hidden()
        if isinstance(reading, CaseFound | CaseUnchanged) and store_reading(connection, reading, snapshot.stored):
            snapshot = snapshot.after_storing(reading, ask)
        if reading is None and must_read(ask, snapshot.stored, self._rules.ttl_seconds, share=self._rules.share):
            return None
        sight = snapshot.sight(ask)
        if sight is None:
            return Hidden()
        if isinstance(reading, CaseUnread) and needs_own_reading(snapshot.stored, share=self._rules.share):
            raise SourceUnavailableProblem(headers={"Retry-After": "30"})
        changed = self._change(connection, ask, snapshot, sight, reading)
        outcome = changed.outcome
        shown = show(connection, outcome)
        if payment.is_due(starts=outcome.kind is OutcomeKind.ACCEPTED, attaches=changed.attaches):
            with self._aside() as aside:
                return replace(outcome, allowance=ratelimit.spend(aside, self._rules.limit, ask.client_id)), shown
        return replace(outcome, allowance=payment.allowance or outcome.allowance), shown

    def _plan(self, ask: Ask, snapshot: CaseSnapshot) -> ReadPlan:
        stored = snapshot.stored
        if ask.defer:
            allowance = ratelimit.decide(self._rules.limit, snapshot.tat, snapshot.now, cost=1)
            if not allowance.allowed:
                raise ratelimit.refusal(self._rules.limit, allowance)
        if stored.hides_from(ask.viewer):
            # As what was never stored.
            return ReadPlan(read=True, defer=ask.defer)
        own = needs_own_reading(stored, share=self._rules.share)
        version = None if own else stored.source_version
        return ReadPlan(read=True, again=stored.fetched_at is not None, version=version, defer=ask.defer and not own)

    def _change(
        self, connection: Connection, ask: Ask, snapshot: CaseSnapshot, sight: Sight, reading: SourceAnswer | None
    ) -> _Changed:
        """Start the job or join it, attach the webhook, and publish what happened."""
        stored = snapshot.stored
        decision = _decide(ask, stored, reading)
        now = self._clock()
        if _must_note(ask, snapshot, now):
            record_request(connection, ask.viewer, ask.number, now)
        outcome = self._outcome(ask, snapshot, sight, decision.job, reading, now)
        records: list[OutgoingRecord] = []
        if decision.step is RequestStep.ANSWER and _is_news(connection, ask, snapshot, decision.job):
            assert decision.job is not None
            records.append(events.case_asked(ask, decision.job, now))
        attaches = False
        if decision.step is RequestStep.START:
            away = isinstance(reading, CaseUnread)
            job, requested = start_job(connection, ask, stored, self._rules, away=away, now=now)
            version = snapshot.version.after(stored.fetched_at, job)
            outcome = replace(outcome, kind=OutcomeKind.ACCEPTED, job=job, version=version)
            records.append(requested)
        elif ask.download and decision.job is not None and not decision.job.ended:
            participants.join(connection, decision.job, ask.client_id, now)
        if ask.webhook_url is not None and outcome.job is not None:
            job = outcome.job
            wanted = _wanted_webhook(ask, ask.webhook_url)
            identity, attaches = participants.attach_webhook(connection, job, wanted, now)
            outcome = replace(outcome, subscription_id=identity)
            if attaches:
                records.append(events.webhook_subscribed(ask, job, identity, ask.webhook_url, now))
        if ask.reference is not None and outcome.job is not None:
            job_id = outcome.job.job_id
            give_reference(connection, job_id, ask.client_id, ask.number, ask.reference, now)
        if records:
            publish(connection, records, now)
            announce(connection, ask.number)
        return _Changed(outcome, records, attaches)

    def _outcome(
        self,
        ask: Ask,
        snapshot: CaseSnapshot,
        sight: Sight,
        job: CaseJob | None,
        reading: SourceAnswer | None,
        now: datetime,
    ) -> RequestOutcome:
        fetched_at = snapshot.stored.fetched_at
        return RequestOutcome(
            OutcomeKind.JOINED if job is not None and not job.ended else OutcomeKind.STORED,
            job,
            version=snapshot.version,
            is_stored=fetched_at is not None,
            is_stale=isinstance(reading, CaseUnread) or is_stale(fetched_at, now, self._rules.ttl_seconds),
            subscription_id=None,
            allowance=ratelimit.decide(self._rules.limit, snapshot.tat, snapshot.now, cost=0),
            sight=sight,
        )


def _decide(ask: Ask, stored: StoredCase, reading: SourceAnswer | None) -> RequestDecision:
    decision = decide(ask, stored, was_due=reading is not None)
    if decision.step is RequestStep.UNKNOWN_DOCUMENT:
        raise DocumentNotFoundProblem
    if stored.fetched_at is None and not ask.download and stored.running is None:
        if isinstance(reading, CaseUnread) and (refusal := _ANSWERS.get(reading.code)) is not None:
            raise refusal
        raise SourceUnavailableProblem(headers={"Retry-After": "30"})
    return decision


def _must_note(ask: Ask, snapshot: CaseSnapshot, now: datetime) -> bool:
    """Whether it has to be recorded that the client asked for the case."""
    gains = ask.viewer.sealed and not snapshot.asked_sealed
    return gains or not is_noted(snapshot.noted_at, now)


def _is_news(connection: Connection, ask: Ask, snapshot: CaseSnapshot, job: CaseJob | None) -> bool:
    """Whether the client's endpoints are to hear now of a job that ended before the client asked for its case."""
    first = snapshot.noted_at is None and job is not None and job.ended
    return first and has_endpoints(connection, ask.client_id)


def _changes_nothing(connection: Connection, ask: Ask, decision: RequestDecision) -> bool:
    """Whether the request changes nothing: no job to start or to join, no webhook to attach.

    Then it need not hold the case.
    """
    if decision.step is not RequestStep.ANSWER:
        return False
    job = decision.job
    if job is None:
        return True
    if ask.download and not job.ended and not participants.has_joined(connection, job, ask.client_id):
        return False
    if ask.reference is not None and ask.reference != read_reference(connection, job.job_id, ask.client_id):
        return False
    if ask.webhook_url is None:
        return True
    return participants.is_attached(connection, job, _wanted_webhook(ask, ask.webhook_url))


def _wanted_webhook(ask: Ask, url: str) -> WantedWebhook:
    return WantedWebhook(ask.client_id, url, ask.viewer.sealed, ask.reference, ask.webhook_payload)
