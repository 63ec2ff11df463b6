"""A circuit breaker: while the source is away nobody asks, but for one probe after the other. Pure; the clock is given.

closed --(an outage was concluded)--> open --(its time is up)--> half open --(probe succeeds)--> closed
                                       ^------(probe fails, next time is longer)------|

It does not conclude: that takes failures of different cases, or of a request that is nobody's (admission.py,
docs/adr/0016). Every admission gets a permit that knows the era it was given in, so a late outcome of a request from
before an outage neither ends a probe nor counts against a source that is back.
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
class SourceBreakerPolicy:
    """Seconds that it stays open: ``first_open``, doubled by each failed probe up to ``longest_open``.

    ``failure_limit``: so many failures in a row, of at least two cases, conclude an outage where nothing neutral can
    be asked. ``fresh_seconds``: how often a case that has not failed may ask while it is open.
    """

    failure_limit: int = 8
    first_open: float = 2.0
    longest_open: float = 30.0
    fresh_seconds: float = 0.5

    def __post_init__(self) -> None:
        if self.failure_limit < 1 or not 0 < self.first_open <= self.longest_open:
            raise ValueError("a breaker needs at least one failure and 0 < first_open <= longest_open")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask once; give it back with the outcome."""

    era: int
    probe: bool


class SourceBreaker:
    """Not safe for threads: one event loop owns it. ``clock`` gives monotonic seconds."""

    def __init__(self, policy: SourceBreakerPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self.era = 0
        """Grows with each opening and closing."""
        self._failed_probes = 0
        self._open_until: float | None = None
        self._probe: Permit | None = None
        self._fresh: Permit | None = None
        self._fresh_from = float("-inf")
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
        permit = Permit(self.era, probe=self._open_until is not None)
        if permit.probe:
            self._probe = permit
        return permit

    def fresh_wait(self) -> float | None:
        """Seconds until a case that has not failed may ask although it is not closed; None while one is out."""
        return None if self._fresh is not None else max(0.0, self._fresh_from - self._clock())

    def admit_fresh(self) -> Permit | None:
        """A permit for a case that has not failed, beside the probes; None when it is not time."""
        if self.fresh_wait() != 0.0:
            return None
        self._fresh = Permit(self.era, probe=True)
        return self._fresh

    def bystander(self) -> Permit:
        """A permit for an outcome that was seen elsewhere; it is never the probe."""
        return Permit(self.era, probe=False)

    def open(self) -> None:
        """An outage was concluded."""
        if self._open_until is None:
            self.opened_count += 1
            self._open()

    def succeeded(self, permit: Permit) -> bool:
        """The source answered; True when that was a probe, which closes the breaker."""
        if permit is not self._probe and permit is not self._fresh:
            return False
        self._close()
        return True

    def failed(self, permit: Permit) -> None:
        """The source failed: a probe opens the breaker for longer."""
        if permit is self._probe:
            self._failed_probes += 1
            self._open()
        self._end_fresh(permit)

    def abandoned(self, permit: Permit) -> None:
        """The request was given up and tells nothing; the next one may probe."""
        if permit is self._probe:
            self._probe = None
        self._end_fresh(permit)

    def _end_fresh(self, permit: Permit) -> None:
        if permit is self._fresh:
            self._fresh = None
            self._fresh_from = self._clock() + self._policy.fresh_seconds

    def _open(self) -> None:
        policy = self._policy
        # The exponent is bounded: an outage of weeks must not overflow.
        seconds = min(policy.longest_open, policy.first_open * 2.0 ** min(self._failed_probes, 60))
        self._open_until = self._clock() + seconds
        self._probe = None
        self.era += 1

    def _close(self) -> None:
        self._open_until = None
        self._probe = self._fresh = None
        self._failed_probes = 0
        self.era += 1
