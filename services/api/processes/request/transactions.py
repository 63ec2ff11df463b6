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
from services.api.processes.request.case_request import CaseRequest
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
from services.api.processes.request.rate_limit_charge import RateLimitCharge
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
class AnsweredFromStore(Generic[Shown]):
    """The answer to a request that changes nothing but the record that it was made."""

    outcome: RequestOutcome
    shown: Shown
    noted_at: datetime | None
    """When the request is to be recorded; None: another one of the last minute stands for it."""


@dataclass(frozen=True)
class CaseHidden:
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

    def look(
        self, connection: Connection, request: CaseRequest, show: Show[Shown]
    ) -> ReadPlan | AnsweredFromStore[Shown]:
        """What is to be done; most requests find what they want, change nothing and end here. Writes nothing.

        Raises RateLimited where no read will do so.
        """
        snapshot = read_snapshot(connection, request, self._rules.limit.name)
        stored = snapshot.stored
        if must_read(request, stored, self._rules.ttl_seconds, share=self._rules.share):
            return self._plan(request, snapshot)
        decision = _decide(request, stored, None)
        sight = snapshot.sight(request)
        if sight is None or not _changes_nothing(connection, request, decision):
            return ReadPlan(read=False)
        if _is_news(connection, request, snapshot, decision.job):
            return ReadPlan(read=False)
        now = self._clock()
        outcome = self._outcome(request, snapshot, sight, decision.job, None, now)
        if decision.job is not None and request.webhook_url is not None:
            identity = subscription_id(decision.job.job_id, request.client_id, request.webhook_url)
            outcome = replace(outcome, subscription_id=identity)
        noted_at = now if _must_note(request, snapshot, now) else None
        return AnsweredFromStore(outcome, show(connection, outcome), noted_at)

    def commit(
        self,
        connection: Connection,
        request: CaseRequest,
        reading: SourceAnswer | None,
        charge: RateLimitCharge,
        show: Show[Shown],
    ) -> tuple[RequestOutcome, Shown] | CaseHidden | None:
        """Decide and write, holding the case; the caller commits. None: the case changed meanwhile, look at it again.

        What is still to be charged is charged last, beside the transaction: what is refused before has cost nothing but
        a read, and the client's other requests do not wait for this one's commit. Raises RateLimited,
        TooManyActiveJobs, DocumentNotFoundProblem and SourceUnavailableProblem, which undo everything but the charge
        for a read.
        """
        lock_case(connection, request.number)
        snapshot = read_snapshot(connection, request, self._rules.limit.name)
        if isinstance(reading, CaseFound) and snapshot.stored.fetched_at is None and is_hidden(reading.case, request):
            # Nobody who may see the case has asked for it: nothing of it is kept.
            return CaseHidden()
        if isinstance(reading, CaseFound | CaseUnchanged) and store_reading(connection, reading, snapshot.stored):
            snapshot = snapshot.after_storing(reading, request)
        if reading is None and must_read(request, snapshot.stored, self._rules.ttl_seconds, share=self._rules.share):
            return None
        sight = snapshot.sight(request)
        if sight is None:
            return CaseHidden()
        if isinstance(reading, CaseUnread) and needs_own_reading(snapshot.stored, share=self._rules.share):
            raise SourceUnavailableProblem(headers={"Retry-After": "30"})
        changed = self._change(connection, request, snapshot, sight, reading)
        outcome = changed.outcome
        shown = show(connection, outcome)
        if charge.is_due(starts=outcome.kind is OutcomeKind.ACCEPTED, attaches=changed.attaches):
            with self._aside() as aside:
                return replace(outcome, allowance=ratelimit.spend(aside, self._rules.limit, request.client_id)), shown
        return replace(outcome, allowance=charge.allowance or outcome.allowance), shown

    def _plan(self, request: CaseRequest, snapshot: CaseSnapshot) -> ReadPlan:
        stored = snapshot.stored
        if request.defer:
            allowance = ratelimit.decide(self._rules.limit, snapshot.tat, snapshot.now, cost=1)
            if not allowance.allowed:
                raise ratelimit.refusal(self._rules.limit, allowance)
        if stored.hides_from(request.viewer):
            # As what was never stored.
            return ReadPlan(read=True, defer=request.defer)
        own = needs_own_reading(stored, share=self._rules.share)
        version = None if own else stored.source_version
        return ReadPlan(
            read=True, again=stored.fetched_at is not None, version=version, defer=request.defer and not own
        )

    def _change(
        self,
        connection: Connection,
        request: CaseRequest,
        snapshot: CaseSnapshot,
        sight: Sight,
        reading: SourceAnswer | None,
    ) -> _Changed:
        """Start the job or join it, attach the webhook, and publish what happened."""
        stored = snapshot.stored
        decision = _decide(request, stored, reading)
        now = self._clock()
        if _must_note(request, snapshot, now):
            record_request(connection, request.viewer, request.number, now)
        outcome = self._outcome(request, snapshot, sight, decision.job, reading, now)
        records: list[OutgoingRecord] = []
        if decision.step is RequestStep.ANSWER and _is_news(connection, request, snapshot, decision.job):
            assert decision.job is not None
            records.append(events.case_asked(request, decision.job, now))
        attaches = False
        if decision.step is RequestStep.START:
            away = isinstance(reading, CaseUnread)
            job, requested = start_job(connection, request, stored, self._rules, away=away, now=now)
            version = snapshot.version.after(stored.fetched_at, job)
            outcome = replace(outcome, kind=OutcomeKind.ACCEPTED, job=job, version=version)
            records.append(requested)
        elif request.download and decision.job is not None and not decision.job.ended:
            participants.join(connection, decision.job, request.client_id, now)
        if request.webhook_url is not None and outcome.job is not None:
            job = outcome.job
            wanted = _wanted_webhook(request, request.webhook_url)
            identity, attaches = participants.attach_webhook(connection, job, wanted, now)
            outcome = replace(outcome, subscription_id=identity)
            if attaches:
                records.append(events.webhook_subscribed(request, job, identity, request.webhook_url, now))
        if request.reference is not None and outcome.job is not None:
            job_id = outcome.job.job_id
            give_reference(connection, job_id, request.client_id, request.number, request.reference, now)
        if records:
            publish(connection, records, now)
            announce(connection, request.number)
        return _Changed(outcome, records, attaches)

    def _outcome(
        self,
        request: CaseRequest,
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


def _decide(request: CaseRequest, stored: StoredCase, reading: SourceAnswer | None) -> RequestDecision:
    decision = decide(request, stored, was_due=reading is not None)
    if decision.step is RequestStep.UNKNOWN_DOCUMENT:
        raise DocumentNotFoundProblem
    if stored.fetched_at is None and not request.download and stored.running is None:
        if isinstance(reading, CaseUnread) and (refusal := _ANSWERS.get(reading.code)) is not None:
            raise refusal
        raise SourceUnavailableProblem(headers={"Retry-After": "30"})
    return decision


def _must_note(request: CaseRequest, snapshot: CaseSnapshot, now: datetime) -> bool:
    """Whether it has to be recorded that the client asked for the case."""
    gains = request.viewer.sealed and not snapshot.asked_sealed
    return gains or not is_noted(snapshot.noted_at, now)


def _is_news(connection: Connection, request: CaseRequest, snapshot: CaseSnapshot, job: CaseJob | None) -> bool:
    """Whether the client's endpoints are to hear now of a job that ended before the client asked for its case."""
    first = snapshot.noted_at is None and job is not None and job.ended
    return first and has_endpoints(connection, request.client_id)


def _changes_nothing(connection: Connection, request: CaseRequest, decision: RequestDecision) -> bool:
    """Whether the request changes nothing: no job to start or to join, no webhook to attach.

    Then it need not hold the case.
    """
    if decision.step is not RequestStep.ANSWER:
        return False
    job = decision.job
    if job is None:
        return True
    if request.download and not job.ended and not participants.has_joined(connection, job, request.client_id):
        return False
    if request.reference is not None and request.reference != read_reference(connection, job.job_id, request.client_id):
        return False
    if request.webhook_url is None:
        return True
    return participants.is_attached(connection, job, _wanted_webhook(request, request.webhook_url))


def _wanted_webhook(request: CaseRequest, url: str) -> WantedWebhook:
    return WantedWebhook(request.client_id, url, request.viewer.sealed, request.reference, request.webhook_payload)
