"""Who may ask the source now: adaptive limit, breaker, pauses and the health of cases together. Pure.

What the numbers are for is told in docs/adr/0016-outage-or-bad-case.md. Times are monotonic seconds of the given clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from sources.gate.adaptive_limit import AdaptiveLimit
from sources.gate.breaker import BreakerState, Permit, SourceBreaker, SourceBreakerPolicy
from sources.gate.case_health import CaseHealth, CaseHealths
from sources.gate.case_queue import CaseQueue
from sources.gate.outage_evidence import FailureCause, OutageEvidence, RequestFailure
from sources.gate.pauses import Pauses
from sources.gate.read_timeouts import ReadTimeouts
from sources.gate.request_outcome import SourceOutcome
from sources.gate.requests import NO_CASE, AdmittedRequest, InFlight, SourceCaller

T = TypeVar("T")

_NEW_AT_ONCE: Final = 2
"""Requests of a case without a success yet, while more than half of the places are taken."""
_MAX_429_PAUSES: Final = 2
"""A request that got this many 429s while others succeeded begins no more pauses."""
_429_BLAMED_ON_REQUEST: Final = 3
"""From this many 429s on, the request itself is to blame."""
_OVERLOAD_SECONDS: Final = 30.0


def _anybody(_health: CaseHealth, _case: str | None) -> bool:
    return True


class Admission(Generic[T]):
    """Decides; never waits. Not safe for threads. ``T`` is what waits in the queue.

    Every admission that :meth:`next` or :meth:`admit` gives must come back once, by :meth:`finish`: places are counted.
    """

    def __init__(self, limit: int, clock: Callable[[], float], policy: SourceBreakerPolicy | None = None) -> None:
        self._policy = policy or SourceBreakerPolicy()
        self.adaptive = AdaptiveLimit(limit)
        self.breaker = SourceBreaker(self._policy, clock)
        self.evidence = OutageEvidence()
        self.health = CaseHealths()
        self.queue: CaseQueue[tuple[T, SourceCaller]] = CaseQueue(self.health.of)
        self.read_timeouts = ReadTimeouts()
        self.has_control_request = False
        """Whether there is a control request: then it concludes outages and probes, and not the run of failures."""
        self._clock = clock
        self._counts = InFlight()
        self._pauses = Pauses(clock)
        self._late: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        """Requests at the source now."""
        return self._counts.total

    @property
    def paused_for(self) -> float:
        """Seconds that nobody may ask."""
        return self._pauses.left

    def wait(self) -> float | None:
        """Seconds until somebody may ask: 0 now, None when only the end of a request can tell."""
        if self._counts.total >= self.adaptive.limit:
            return None
        breaker = self.breaker.wait()
        return None if breaker is None else max(breaker, self.paused_for)

    def next(self) -> tuple[T, AdmittedRequest] | None:
        """The next of the queue that may ask now, admitted; give that back to :meth:`finish`. None when nobody may."""
        if self._counts.total >= self.adaptive.limit or self.paused_for > 0:
            return None
        closed = self.breaker.state is BreakerState.CLOSED
        if closed or (not self.has_control_request and self.breaker.wait() == 0.0):
            found = self.queue.pop(self._admits if closed else _anybody)
            permit = self.breaker.admit if found else None
        else:
            may = self.breaker.fresh_wait() == 0.0
            found = self.queue.pop(self._is_fresh) if may else None
            permit = self.breaker.admit_fresh
        if found is None or permit is None:
            return None
        (item, caller), health = found
        given = permit()
        assert given is not None
        return item, self._admit(given, caller, health)

    def admit(self, caller: SourceCaller = NO_CASE) -> AdmittedRequest | None:
        """Admit the gate's own request, or one that nobody waits behind; None when nobody may ask now."""
        if self._counts.total >= self.adaptive.limit or self.paused_for > 0:
            return None
        permit = self.breaker.admit()
        return None if permit is None else self._admit(permit, caller, CaseHealth.PROVEN)

    def answered(self, admitted: AdmittedRequest) -> bool:
        """The source has begun a good answer: a probe need not wait for the last byte of a large document.

        Whether it was a probe, so that others may ask now.
        """
        self.read_timeouts.learn(self._clock() - admitted.began, about_case=admitted.caller.about_case)
        if not admitted.permit.probe or admitted.caller.control:
            return False
        self._is_there(admitted)
        return True

    def finish(
        self, admitted: AdmittedRequest, outcome: SourceOutcome, retry_after: float | None = None
    ) -> float | None:
        """Take the outcome; the seconds of a pause that it begins, if it does."""
        self._counts.left(admitted)
        return self._learn(admitted, outcome, retry_after)

    def report(self, outcome: SourceOutcome, retry_after: float | None = None) -> float | None:
        """Take an outcome that was seen elsewhere, as of a request that began now."""
        return self._learn(AdmittedRequest(self.breaker.bystander(), self.adaptive.era), outcome, retry_after)

    def failure(self, admitted: AdmittedRequest, outcome: SourceOutcome) -> RequestFailure:
        """What is to be judged of a request that found the source away; after :meth:`finish`."""
        case = admitted.caller.case
        throttled = outcome is SourceOutcome.THROTTLED
        return RequestFailure(
            case,
            admitted.began,
            self._clock(),
            admitted.permit.era,
            about_case=admitted.caller.about_case,
            request_at_fault=throttled and admitted.caller.throttled >= _429_BLAMED_ON_REQUEST,
            source_at_fault=throttled or outcome is SourceOutcome.REFUSED,
        )

    def judge(self, failure: RequestFailure) -> FailureCause | None:
        """What a failure was about; None while that is not known."""
        if failure.source_at_fault and not failure.request_at_fault:
            return FailureCause.OUTAGE
        if self.breaker.state is not BreakerState.CLOSED or failure.era != self.breaker.era:
            return FailureCause.OUTAGE
        return self.evidence.judge(failure)

    def conclude(self, retry_after: float | None = None) -> float | None:
        """The source is away; the seconds of the pause that it asks for, if it does."""
        self.breaker.open()
        return self._pauses.asked(retry_after)

    def is_back(self, permit: Permit) -> None:
        """Something was answered: where that was a probe, what failed before was the source's."""
        if self.breaker.succeeded(permit):
            self.evidence.forget()
            self.health.forgive()
            self.queue.place_all()

    def pause(self, seconds: float) -> None:
        """Nobody may ask for so long; a longer pause that is on stays."""
        self._pauses.pause(seconds)

    def _admit(self, permit: Permit, caller: SourceCaller, health: CaseHealth) -> AdmittedRequest:
        limit, total = self.adaptive.limit, self._counts.total
        idle = (total + 1) * 4 <= limit and len(self.queue) == 0 and not permit.probe
        unhurried = health is CaseHealth.SUSPECT or caller.control or caller.case is None or idle
        admitted = AdmittedRequest(
            permit,
            self.adaptive.era,
            caller,
            health,
            None if unhurried else self._seconds(caller),
            unhurried and caller.case is not None,
            self._clock(),
        )
        self._counts.entered(admitted)
        self.health.tried(caller.case)
        self.queue.place(caller.case)
        return admitted

    def _admits(self, health: CaseHealth, case: str | None) -> bool:
        """Whether a request of this case, of this health, may begin; that there is a place at all is known."""
        limit, counts = self.adaptive.limit, self._counts
        if health is CaseHealth.PROVEN:
            return True
        if health is CaseHealth.SUSPECT:
            # What one holds for a minute is no place for the others: fewer while these wait.
            if not self.queue.others:
                return counts.unhurried < max(1, limit // 2)
            return counts.unhurried < max(int(self.queue.suspects_turn), limit // 4)
        if counts.unproven >= limit - limit // 4:
            return False
        crowded = counts.total * 2 >= limit
        return not crowded or counts.of(case) < _NEW_AT_ONCE

    def _seconds(self, caller: SourceCaller) -> float | None:
        crowd = self.queue.untried * 2 > self.adaptive.limit
        return self.read_timeouts.seconds(about_case=caller.about_case, crowd=crowd)

    def _is_fresh(self, health: CaseHealth, case: str | None) -> bool:
        return health is not CaseHealth.SUSPECT and case not in self.evidence.cases

    def _learn(self, admitted: AdmittedRequest, outcome: SourceOutcome, retry_after: float | None) -> float | None:
        case = admitted.caller.case
        match outcome:
            case SourceOutcome.SUCCEEDED:
                self._is_there(admitted)
                if admitted.era == self.adaptive.era:
                    self._pauses.over()
                return None
            case SourceOutcome.THROTTLED:
                self.breaker.abandoned(admitted.permit)
                return self._throttled(admitted, retry_after)
            case SourceOutcome.TIMED_OUT | SourceOutcome.FAILED:
                self._failed(admitted, case, timed_out=outcome is SourceOutcome.TIMED_OUT)
                return None
            case SourceOutcome.REFUSED | SourceOutcome.ABANDONED:
                self.breaker.abandoned(admitted.permit)
                return self._pauses.refused(retry_after) if outcome is SourceOutcome.REFUSED else None

    def _is_there(self, admitted: AdmittedRequest) -> None:
        caller = admitted.caller
        if caller.control:
            return  # what it found is told by the one who asked
        self.evidence.answered(admitted.began, about_case=caller.about_case)
        self.health.succeeded(caller.case)
        self.queue.place(caller.case)
        self.adaptive.succeeded()
        self.is_back(admitted.permit)

    def _failed(self, admitted: AdmittedRequest, case: str | None, *, timed_out: bool) -> None:
        self.breaker.failed(admitted.permit)
        if admitted.caller.control:
            return
        if timed_out and admitted.health is CaseHealth.PROVEN:
            self._overloaded(admitted, case)
        self.health.failed(case)
        self.queue.place(case)
        if admitted.permit.era == self.breaker.era or self.breaker.state is not BreakerState.CLOSED:
            self.evidence.failed(case, self._clock())
        if not self.has_control_request and self._runs_out():
            self.breaker.open()

    def _runs_out(self) -> bool:
        """Without a control request: a run of failures, and of different cases."""
        return self.evidence.failures >= self._policy.failure_limit and len(self.evidence.cases) > 1

    def _overloaded(self, admitted: AdmittedRequest, case: str | None) -> None:
        """A case that has succeeded before times out. More than one such case: the load is to blame."""
        now = self._clock()
        if case is not None:
            self._late = {each: at for each, at in self._late.items() if at > now - _OVERLOAD_SECONDS} | {case: now}
        if case is None or len(self._late) > 1:
            self._late.clear()
            self.adaptive.overloaded(admitted.era)

    def _throttled(self, admitted: AdmittedRequest, retry_after: float | None) -> float | None:
        if admitted.caller.throttled >= _MAX_429_PAUSES:
            return None
        first = self.adaptive.overloaded(admitted.era)
        # Without a wish, one of many that were in flight: the pause for them has begun.
        return self._pauses.throttled(retry_after) if first or retry_after is not None else None
