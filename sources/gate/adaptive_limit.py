"""How much to ask at once: additive increase, multiplicative decrease, as TCP does for a network. Pure.

One more request at once after each window of successes, half as many when the source says that it is too much. A window
is as many answers as the limit is large. What was already in flight at a decrease says nothing new, so only a request
that began after the last decrease can cause another one.
"""

from __future__ import annotations


class AdaptiveLimit:
    """A concurrency limit between 1 and ``ceiling``, which can be changed at any time."""

    def __init__(self, ceiling: int) -> None:
        if ceiling < 1:
            raise ValueError("the ceiling is at least 1")
        self._ceiling = ceiling
        self._limit = float(ceiling)
        """From 1 to the ceiling."""
        self._successes = 0
        self.era = 0
        """Grows with each decrease; a request remembers the era it began in."""

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """What the limit never passes."""
        return self._ceiling

    @ceiling.setter
    def ceiling(self, value: int) -> None:
        raised = value > self._ceiling
        at_ceiling = self._limit >= self._ceiling
        self._ceiling = max(1, value)
        if self._limit > self._ceiling or (raised and at_ceiling):
            # A source that took the whole share so far is trusted with the larger one: a worker's end is no overload.
            self._limit = float(self._ceiling)

    def succeeded(self) -> None:
        """An answer came in time."""
        if self._limit >= self._ceiling:
            self._successes = 0
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self._limit = min(self._limit + 1.0, float(self._ceiling))

    def overloaded(self, era: int) -> bool:
        """The source said "too much" to a request that began in ``era``; True when the limit was halved for it."""
        if era != self.era:
            return False
        self.era += 1
        self._successes = 0
        self._limit = max(1.0, self._limit / 2.0)
        return True
