"""The circuit breaker of one endpoint. Pure; the caller passes the time.

closed --a run of failures--> open --cooldown over--> half-open (one probe) --success--> closed
                               ^----------------------------failure---------|   (the cooldown doubles)

While it is open no delivery of the endpoint is sent. That is no attempt: the retry schedule does not move.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointBreakerPolicy:
    """``failures`` in a row open it; cooldowns in seconds."""

    failures: int = 10
    cooldown: float = 5.0
    longest_cooldown: float = 60.0


class EndpointBreaker:
    """The state of one endpoint's breaker. Times are monotonic seconds."""

    __slots__ = ("_cooldown", "_failures", "_open_until", "_policy", "_probing")

    def __init__(self, policy: EndpointBreakerPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._cooldown = policy.cooldown
        self._open_until: float | None = None
        self._probing = False

    @property
    def open_until(self) -> float | None:
        """When a probe may go; None while it is closed, or a probe is under way."""
        return None if self._probing else self._open_until

    @property
    def closed(self) -> bool:
        """Whether deliveries go out as usual."""
        return self._open_until is None

    @property
    def fresh(self) -> bool:
        """Whether it remembers nothing: a new one would behave the same."""
        return self.closed and not self._failures

    def admits(self, now: float) -> bool:
        """Whether a delivery may be taken now."""
        if self._open_until is None:
            return True
        return not self._probing and now >= self._open_until

    def taken(self) -> None:
        """A delivery that was admitted goes out; with an open breaker it is the probe."""
        if self._open_until is not None:
            self._probing = True

    def put_back(self) -> None:
        """What was taken is not sent after all."""
        self._probing = False

    def succeeded(self) -> None:
        """A delivery succeeded: close, and forget the failures."""
        self._failures = 0
        self._cooldown = self._policy.cooldown
        self._open_until = None
        self._probing = False

    def failed(self, now: float) -> None:
        """A delivery failed: open after a run of failures; after a failed probe, wait twice as long."""
        self._failures += 1
        if self._open_until is not None:
            if self._probing:
                self._cooldown = min(self._cooldown * 2, self._policy.longest_cooldown)
                self._open_until = now + self._cooldown
                self._probing = False
        elif self._failures >= self._policy.failures:
            self._open_until = now + self._cooldown
