"""Who may ask the source now: adaptive limit, breaker and pause taken together. Pure; the clock is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.pdpj.aimd import AdaptiveLimit
from shared.pdpj.breaker import Breaker, BreakerPolicy, BreakerState, Permit
from shared.pdpj.errors import (
    CredentialsRefused,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 60.0
_REFUSED_PAUSE: Final = 30.0


class Outcome(StrEnum):
    """What a request says about the source (not about the document)."""

    SUCCEEDED = "succeeded"
    """It answered, be it with an error about the document."""
    THROTTLED = "throttled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    REFUSED = "refused"
    """It takes our credentials no more."""
    ABANDONED = "abandoned"
    """Given up by the caller: says nothing."""


def outcome_of(error: BaseException | None) -> tuple[Outcome, float | None]:
    """The outcome that an exception (or none) stands for, and the wait in seconds that the source asked for."""
    match error:
        case None:
            return Outcome.SUCCEEDED, None
        case SourceThrottled():
            return Outcome.THROTTLED, error.retry_after
        case CredentialsRefused():
            return Outcome.REFUSED, error.retry_after
        case SourceTimeout():
            return Outcome.TIMED_OUT, error.retry_after
        case SourceUnavailable():
            return Outcome.FAILED, error.retry_after
        case SourceError():
            return Outcome.SUCCEEDED, None
        case _:
            return Outcome.ABANDONED, None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One admitted request."""

    permit: Permit
    era: int


@dataclass(frozen=True, slots=True)
class GateSnapshot:
    """For metrics and decisions: counts of requests, and seconds that the source is still paused."""

    limit: int
    ceiling: int
    in_flight: int
    waiting: int
    breaker: BreakerState
    opened_count: int
    paused_for: float


class Admission:
    """Not safe for threads. ``clock`` gives monotonic seconds."""

    def __init__(self, limit: int, clock: Callable[[], float], policy: BreakerPolicy | None = None) -> None:
        self.adaptive = AdaptiveLimit(limit)
        self.breaker = Breaker(policy or BreakerPolicy(), clock)
        self.in_flight = 0
        self._clock = clock
        self._paused_until = 0.0
        self._next_pause = _FIRST_PAUSE

    @property
    def paused_for(self) -> float:
        """Seconds that nobody may ask."""
        return max(0.0, self._paused_until - self._clock())

    def wait(self) -> float | None:
        """Seconds until somebody may ask: 0 now, None when only the end of a request can tell."""
        if self.in_flight >= self.adaptive.limit:
            return None
        breaker = self.breaker.wait()
        return None if breaker is None else max(breaker, self.paused_for)

    def admit(self) -> Ticket | None:
        """A ticket, or None when nobody may ask now. Each ticket is given back with :meth:`finish`."""
        if self.wait() != 0.0:
            return None
        permit = self.breaker.admit()
        if permit is None:
            return None
        self.in_flight += 1
        return Ticket(permit, self.adaptive.era)

    def answered(self, ticket: Ticket) -> None:
        """The source has begun a good answer: a probe need not wait for the last byte of a large document."""
        if ticket.permit.probe:
            self.breaker.succeeded(ticket.permit)

    def finish(self, ticket: Ticket, outcome: Outcome, retry_after: float | None = None) -> float | None:
        """Take the outcome; the seconds of a pause that it begins, if it does."""
        self.in_flight -= 1
        return self._learn(ticket, outcome, retry_after)

    def report(self, outcome: Outcome, retry_after: float | None = None) -> float | None:
        """Take an outcome that was seen elsewhere, as of a request that began now."""
        return self._learn(Ticket(self.breaker.bystander(), self.adaptive.era), outcome, retry_after)

    def pause(self, seconds: float) -> None:
        """Nobody may ask for so long; a longer pause that is on stays."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _learn(self, ticket: Ticket, outcome: Outcome, retry_after: float | None) -> float | None:
        match outcome:
            case Outcome.SUCCEEDED:
                self.breaker.succeeded(ticket.permit)
                self.adaptive.succeeded()
                if ticket.era == self.adaptive.era:
                    self._next_pause = _FIRST_PAUSE
                return None
            case Outcome.THROTTLED:
                self.breaker.succeeded(ticket.permit)  # it is there, and speaks
                return self._throttled(ticket, retry_after)
            case Outcome.TIMED_OUT:
                self.breaker.failed(ticket.permit)
                self.adaptive.overloaded(ticket.era)
                return self._asked_pause(retry_after)
            case Outcome.FAILED:
                self.breaker.failed(ticket.permit)
                return self._asked_pause(retry_after)
            case Outcome.REFUSED:
                self.breaker.abandoned(ticket.permit)
                return self._asked_pause(_REFUSED_PAUSE if retry_after is None else retry_after)
            case Outcome.ABANDONED:
                self.breaker.abandoned(ticket.permit)
                return None

    def _throttled(self, ticket: Ticket, retry_after: float | None) -> float | None:
        first = self.adaptive.overloaded(ticket.era)
        if retry_after is not None:
            return self._asked_pause(retry_after)
        if not first:  # one of many that were in flight: the pause for them has begun
            return None
        seconds = self._next_pause
        self._next_pause = min(_LONGEST_PAUSE, 2 * seconds)
        return self._asked_pause(seconds)

    def _asked_pause(self, seconds: float | None) -> float | None:
        if seconds is None or seconds <= 0:
            return None
        self.pause(seconds)
        return seconds
