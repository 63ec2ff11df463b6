"""What a request does in the database: a look, which is enough for most, and a commit, which holds the case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from services.api.access import rate_limit as ratelimit
from services.api.http.problems import (
    CaseTooLargeProblem,
    CaseUnreadableProblem,
    DocumentNotFoundProblem,
    SourceUnavailableProblem,
)
from services.api.jobs.model import CaseJob
from services.api.jobs.references import give_reference
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
from services.api.processes.request.joining import ChangedRequest, changes_nothing, is_news, join_job
from services.api.processes.request.plans import AnsweredFromStore, CaseHidden, ReadPlan
from services.api.processes.request.rate_limit_charge import RateLimitCharge
from services.api.processes.request.request_log import is_noted, record_request
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.snapshot import CaseSnapshot, read_snapshot, store_reading
from services.api.processes.request.source_problems import is_hidden
from services.api.processes.request.source_reader import CaseFound, CaseUnchanged, CaseUnread, SourceAnswer
from services.api.processes.request.unknown_case import hold_unknown
from shared.clock import Clock
from shared.db.new_case import new_case, new_rows, store_rest
from shared.db.prepared import PreparedCall, run_together
from shared.domain.secrecy import Sight
from shared.events.webhook_subscribed import subscription_id

_ANSWERS: Final = {problem.code: problem for problem in (CaseTooLargeProblem, CaseUnreadableProblem)}
"""The problem of an answer of the source that cannot be used, where no job says so later."""


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
        if sight is None or not changes_nothing(connection, request, decision):
            return ReadPlan(read=False)
        if is_news(connection, request, snapshot, decision.job):
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
        plan: ReadPlan,
        reading: SourceAnswer | None,
        charge: RateLimitCharge,
        show: Show[Shown],
    ) -> tuple[RequestOutcome, Shown] | CaseHidden | None:
        """Decide and write by ``plan``, holding the case; the caller commits. None: the case changed meanwhile, look at
        it again.

        What is still to be charged is charged last, beside the transaction: what is refused before has cost nothing but
        a read, and the client's other requests do not wait for this one's commit. Raises RateLimited,
        TooManyActiveJobs, DocumentNotFoundProblem and SourceUnavailableProblem, which undo everything but the charge
        for a read.
        """
        unknown = hold_unknown(connection, request, charge.allowance, self._clock()) if plan.unknown else None
        snapshot = unknown or read_snapshot(connection, request, self._rules.limit.name, hold=True)
        new = None
        if isinstance(reading, CaseFound) and snapshot.stored.fetched_at is None:
            if is_hidden(reading.case, request):
                # Nobody who may see the case has asked for it: nothing of it is kept.
                return CaseHidden()
            new = new_case(reading.case, fetched_at=reading.fetched_at, source_version=reading.version)
            snapshot = snapshot.after_storing(reading, request)
        elif isinstance(reading, CaseFound | CaseUnchanged):
            snapshot = store_reading(connection, reading, snapshot, request)
        if reading is None and must_read(request, snapshot.stored, self._rules.ttl_seconds, share=self._rules.share):
            return None
        sight = snapshot.sight(request)
        if sight is None:
            return CaseHidden()
        if isinstance(reading, CaseUnread) and needs_own_reading(snapshot.stored, share=self._rules.share):
            raise SourceUnavailableProblem(headers={"Retry-After": "30"})
        first = [new_rows(new)] if new is not None else []
        changed = self._change(connection, request, snapshot, sight, reading, first)
        if new is not None:
            store_rest(connection, new)
        outcome = replace(changed.outcome, new=new, allowance=charge.allowance or changed.outcome.allowance)
        shown = show(connection, outcome)
        if charge.is_due(starts=outcome.kind is OutcomeKind.ACCEPTED, attaches=changed.attaches):
            with self._aside() as aside:
                return replace(outcome, allowance=ratelimit.spend(aside, self._rules.limit, request.client_id)), shown
        return outcome, shown

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
        first: Sequence[PreparedCall],
    ) -> ChangedRequest:
        """Run ``first``; start the job or join it, attach the webhook, and publish what happened."""
        decision = _decide(request, snapshot.stored, reading)
        now = self._clock()
        outcome = self._outcome(request, snapshot, sight, decision.job, reading, now)
        note = _must_note(request, snapshot, now)
        if decision.step is RequestStep.START:
            away = isinstance(reading, CaseUnread)
            changed = self._start(connection, request, snapshot, outcome, away=away, note=note, now=now, first=first)
        else:
            if first:
                run_together(connection, *first)
            if note:
                record_request(connection, request.viewer, request.number, now)
            changed = join_job(connection, request, snapshot, outcome, now)
        job = changed.outcome.job
        if request.reference is not None and job is not None:
            give_reference(connection, job.job_id, request.client_id, request.number, request.reference, now)
        return changed

    def _start(
        self,
        connection: Connection,
        request: CaseRequest,
        snapshot: CaseSnapshot,
        outcome: RequestOutcome,
        *,
        away: bool,
        note: bool,
        now: datetime,
        first: Sequence[PreparedCall],
    ) -> ChangedRequest:
        """Start a job; it discovers the documents itself where the source could not be read (``away``)."""
        stored = snapshot.stored
        started = start_job(connection, request, stored, self._rules, away=away, note=note, now=now, first=first)
        version = snapshot.version.after(stored.fetched_at, started.job)
        webhook = started.webhook
        identity = webhook.subscription_of(started.job) if webhook is not None else None
        outcome = replace(
            outcome, kind=OutcomeKind.ACCEPTED, job=started.job, version=version, subscription_id=identity
        )
        return ChangedRequest(outcome, attaches=webhook is not None)

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
