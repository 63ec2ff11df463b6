"""A circuit breaker: after a run of failures nobody asks, then one probe does. Pure; the clock is given.

closed --(failure_limit failures in a row)--> open --(its time is up)--> half open --(probe succeeds)--> closed
                                               ^------(probe fails, next time is longer)------|

Every admission gets a permit that knows the era it was given in, so a late outcome of a request from before an outage
neither ends a probe nor counts against a source that is back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """CLOSED admits all, OPEN none, HALF_OPEN one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When it opens, and for how many seconds: ``first_open``, doubled by each failed probe up to ``longest_open``."""

    failure_limit: int = 8
    first_open: float = 2.0
    longest_open: float = 30.0

    def __post_init__(self) -> None:
        if self.failure_limit < 1 or not 0 < self.first_open <= self.longest_open:
            raise ValueError("a breaker needs at least one failure and 0 < first_open <= longest_open")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask once; give it back with the outcome."""

    era: int
    probe: bool


class Breaker:
    """Not safe for threads: one event loop owns it. ``clock`` gives monotonic seconds."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._era = 0
        self._failures = 0
        self._failed_probes = 0
        self._open_until: float | None = None
        self._probe: Permit | None = None
        self.opened_count = 0
        """How often it went from closed to open, for metrics."""

    @property
    def state(self) -> BreakerState:
        """The state now; an open one whose time is up is half open."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._open_until else BreakerState.HALF_OPEN

    def wait(self) -> float | None:
        """Seconds until somebody may ask: 0 now, None when that depends on the probe that is out."""
        if self._open_until is None:
            return 0.0
        left = self._open_until - self._clock()
        if left > 0:
            return left
        return None if self._probe is not None else 0.0

    def admit(self) -> Permit | None:
        """A permit, or None when nobody may ask now."""
        if self.wait() != 0.0:
            return None
        permit = Permit(self._era, probe=self._open_until is not None)
        if permit.probe:
            self._probe = permit
        return permit

    def bystander(self) -> Permit:
        """A permit for an outcome that was seen elsewhere; it is never the probe."""
        return Permit(self._era, probe=False)

    def succeeded(self, permit: Permit) -> None:
        """The source answered: a probe closes the breaker, any answer of this era ends the run of failures."""
        if permit is self._probe:
            self._close()
        elif permit.era == self._era and self._open_until is None:
            self._failures = 0

    def failed(self, permit: Permit) -> None:
        """The source failed: a probe opens the breaker for longer, a run of failures opens it."""
        if permit is self._probe:
            self._failed_probes += 1
            self._open()
        elif permit.era == self._era and self._open_until is None:
            self._failures += 1
            if self._failures >= self._policy.failure_limit:
                self.opened_count += 1
                self._open()

    def abandoned(self, permit: Permit) -> None:
        """The request was given up and tells nothing; the next one may probe."""
        if permit is self._probe:
            self._probe = None

    def _open(self) -> None:
        policy = self._policy
        # The exponent is bounded: an outage of weeks must not overflow.
        seconds = min(policy.longest_open, policy.first_open * 2.0 ** min(self._failed_probes, 60))
        self._open_until = self._clock() + seconds
        self._probe = None
        self._era += 1

    def _close(self) -> None:
        self._open_until = None
        self._probe = None
        self._failures = 0
        self._failed_probes = 0
        self._era += 1
