"""Who may ask the source now: adaptive limit, breaker, pause and the standing of cases together. Pure.

What the numbers are for is told in docs/adr/0016-outage-or-bad-case.md. Times are monotonic seconds of the given clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from sources.gate.aimd import AdaptiveLimit
from sources.gate.breaker import Breaker, BreakerPolicy, BreakerState, Permit
from sources.gate.evidence import Evidence, Failure, Judgement
from sources.gate.line import Line
from sources.gate.outcome import Outcome
from sources.gate.patience import Patience
from sources.gate.pauses import Pauses
from sources.gate.standing import Standing, Standings
from sources.gate.ticket import NOBODY, Asker, Counts, Ticket

T = TypeVar("T")

_NEW_AT_ONCE: Final = 2
"""Requests of a case without a success yet, while more than half of the places are taken."""
_QUIET_429: Final = 2
"""What was answered 429 so many times, while others were given what they asked for, begins no more pauses."""
_OWN_429: Final = 3
"""And from so many times on a 429 is about it."""
_OVERLOAD_SECONDS: Final = 30.0


def _anybody(_lane: Standing, _case: str | None) -> bool:
    return True


class Admission(Generic[T]):
    """Not safe for threads. ``T`` is what waits in the line."""

    def __init__(self, limit: int, clock: Callable[[], float], policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self.adaptive = AdaptiveLimit(limit)
        self.breaker = Breaker(self._policy, clock)
        self.evidence = Evidence()
        self.standings = Standings()
        self.line: Line[tuple[T, Asker]] = Line(self.standings.of)
        self.patience = Patience()
        self.neutral = False
        """Whether there is a control request: then it concludes outages and probes, and not the run of failures."""
        self._clock = clock
        self._counts = Counts()
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

    def next(self) -> tuple[T, Ticket] | None:
        """Whoever of the line may ask now, with a ticket to be given back with :meth:`finish`; None for nobody."""
        if self._counts.total >= self.adaptive.limit or self.paused_for > 0:
            return None
        closed = self.breaker.state is BreakerState.CLOSED
        if closed or (not self.neutral and self.breaker.wait() == 0.0):
            found = self.line.pop(self._admits if closed else _anybody)
            permit = self.breaker.admit if found else None
        else:
            may = self.breaker.fresh_wait() == 0.0
            found = self.line.pop(self._is_fresh) if may else None
            permit = self.breaker.admit_fresh
        if found is None or permit is None:
            return None
        (item, asker), lane = found
        given = permit()
        assert given is not None
        return item, self._ticket(given, asker, lane)

    def admit(self, asker: Asker = NOBODY) -> Ticket | None:
        """A ticket for the gate's own request, or for one that nobody waits behind; None when nobody may ask now."""
        if self._counts.total >= self.adaptive.limit or self.paused_for > 0:
            return None
        permit = self.breaker.admit()
        return None if permit is None else self._ticket(permit, asker, Standing.PROVEN)

    def answered(self, ticket: Ticket) -> None:
        """The source has begun a good answer: a probe need not wait for the last byte of a large document."""
        self.patience.learn(self._clock() - ticket.began, about_case=ticket.asker.about_case)
        if ticket.permit.probe and not ticket.asker.control:
            self._is_there(ticket)

    def finish(self, ticket: Ticket, outcome: Outcome, retry_after: float | None = None) -> float | None:
        """Take the outcome; the seconds of a pause that it begins, if it does."""
        self._counts.left(ticket)
        return self._learn(ticket, outcome, retry_after)

    def report(self, outcome: Outcome, retry_after: float | None = None) -> float | None:
        """Take an outcome that was seen elsewhere, as of a request that began now."""
        return self._learn(Ticket(self.breaker.bystander(), self.adaptive.era), outcome, retry_after)

    def failure(self, ticket: Ticket, outcome: Outcome) -> Failure:
        """What is to be judged of a request that found the source away; after :meth:`finish`."""
        case = ticket.asker.case
        throttled = outcome is Outcome.THROTTLED
        return Failure(
            case,
            ticket.began,
            self._clock(),
            ticket.permit.era,
            about_case=ticket.asker.about_case,
            known=throttled and ticket.asker.throttled >= _OWN_429,
            hold=throttled or outcome is Outcome.REFUSED,
        )

    def judge(self, failure: Failure) -> Judgement | None:
        """What a failure was about; None while that is not known."""
        if failure.hold and not failure.known:
            return Judgement.OUTAGE
        if self.breaker.state is not BreakerState.CLOSED or failure.era != self.breaker.era:
            return Judgement.OUTAGE
        return self.evidence.judge(failure)

    def conclude(self, retry_after: float | None = None) -> float | None:
        """The source is away; the seconds of the pause that it asks for, if it does."""
        self.breaker.open()
        return self._pauses.asked(retry_after)

    def is_back(self, permit: Permit) -> None:
        """Something was answered: where that was a probe, what failed before was the source's."""
        if self.breaker.succeeded(permit):
            self.evidence.forget()
            self.standings.forgive()
            self.line.place_all()

    def pause(self, seconds: float) -> None:
        """Nobody may ask for so long; a longer pause that is on stays."""
        self._pauses.pause(seconds)

    def _ticket(self, permit: Permit, asker: Asker, lane: Standing) -> Ticket:
        limit, total = self.adaptive.limit, self._counts.total
        idle = (total + 1) * 4 <= limit and len(self.line) == 0 and not permit.probe
        patient = lane is Standing.SUSPECT or asker.control or asker.case is None or idle
        ticket = Ticket(
            permit,
            self.adaptive.era,
            asker,
            lane,
            None if patient else self._seconds(asker),
            patient and asker.case is not None,
            self._clock(),
        )
        self._counts.entered(ticket)
        self.standings.tried(asker.case)
        self.line.place(asker.case)
        return ticket

    def _admits(self, lane: Standing, case: str | None) -> bool:
        """Whether a request of this lane and case may begin; that there is a place at all is known."""
        limit, counts = self.adaptive.limit, self._counts
        if lane is Standing.PROVEN:
            return True
        if lane is Standing.SUSPECT:
            # What one holds for a minute is no place for the others: fewer while these wait.
            if not self.line.others:
                return counts.patient < max(1, limit // 2)
            return counts.patient < max(int(self.line.suspects_turn), limit // 4)
        if counts.unproven >= limit - limit // 4:
            return False
        crowded = counts.total * 2 >= limit
        return not crowded or counts.of(case) < _NEW_AT_ONCE

    def _seconds(self, asker: Asker) -> float | None:
        crowd = self.line.untried * 2 > self.adaptive.limit
        return self.patience.seconds(about_case=asker.about_case, crowd=crowd)

    def _is_fresh(self, lane: Standing, case: str | None) -> bool:
        return lane is not Standing.SUSPECT and case not in self.evidence.cases

    def _learn(self, ticket: Ticket, outcome: Outcome, retry_after: float | None) -> float | None:
        case = ticket.asker.case
        match outcome:
            case Outcome.SUCCEEDED:
                self._is_there(ticket)
                if ticket.era == self.adaptive.era:
                    self._pauses.over()
                return None
            case Outcome.THROTTLED:
                self.breaker.abandoned(ticket.permit)
                return self._throttled(ticket, retry_after)
            case Outcome.TIMED_OUT | Outcome.FAILED:
                self._failed(ticket, case, timed_out=outcome is Outcome.TIMED_OUT)
                return None
            case Outcome.REFUSED | Outcome.ABANDONED:
                self.breaker.abandoned(ticket.permit)
                return self._pauses.refused(retry_after) if outcome is Outcome.REFUSED else None

    def _is_there(self, ticket: Ticket) -> None:
        asker = ticket.asker
        if asker.control:
            return  # what it found is told by the one who asked
        self.evidence.answered(ticket.began, about_case=asker.about_case)
        self.standings.succeeded(asker.case)
        self.line.place(asker.case)
        self.adaptive.succeeded()
        self.is_back(ticket.permit)

    def _failed(self, ticket: Ticket, case: str | None, *, timed_out: bool) -> None:
        self.breaker.failed(ticket.permit)
        if ticket.asker.control:
            return
        if timed_out and ticket.lane is Standing.PROVEN:
            self._overloaded(ticket, case)
        self.standings.failed(case)
        self.line.place(case)
        if ticket.permit.era == self.breaker.era or self.breaker.state is not BreakerState.CLOSED:
            self.evidence.failed(case, self._clock())
        if not self.neutral and self._runs_out():
            self.breaker.open()

    def _runs_out(self) -> bool:
        """Without a control request: a run of failures, and of different cases."""
        return self.evidence.failures >= self._policy.failure_limit and len(self.evidence.cases) > 1

    def _overloaded(self, ticket: Ticket, case: str | None) -> None:
        """Cases that are given what they ask for else come too late: more than one of them, so it is the load."""
        now = self._clock()
        if case is not None:
            self._late = {each: at for each, at in self._late.items() if at > now - _OVERLOAD_SECONDS} | {case: now}
        if case is None or len(self._late) > 1:
            self._late.clear()
            self.adaptive.overloaded(ticket.era)

    def _throttled(self, ticket: Ticket, retry_after: float | None) -> float | None:
        if ticket.asker.throttled >= _QUIET_429:
            return None
        first = self.adaptive.overloaded(ticket.era)
        # Without a wish, one of many that were in flight: the pause for them has begun.
        return self._pauses.throttled(retry_after) if first or retry_after is not None else None
