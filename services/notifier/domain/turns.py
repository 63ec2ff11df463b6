"""Whose turn it is: endpoints in the order in which they asked, and those that come back at a time. Pure."""

from __future__ import annotations

import heapq


class Turns:
    """Names in turn. A name that asks again while it waits keeps its place. Times are monotonic seconds."""

    def __init__(self) -> None:
        # A dict keeps the order.
        self._turns: dict[str, None] = {}
        self._timers: list[tuple[float, str]] = []

    def __bool__(self) -> bool:
        return bool(self._turns)

    def ask(self, name: str) -> None:
        """Have a turn after those that asked before."""
        self._turns[name] = None

    def ask_at(self, time: float, name: str) -> None:
        """Have a turn at ``time``."""
        heapq.heappush(self._timers, (time, name))

    def wake(self, now: float) -> None:
        """Give a turn to those whose time has come."""
        while self._timers and self._timers[0][0] <= now:
            self.ask(heapq.heappop(self._timers)[1])

    def next(self) -> str:
        """Take the first turn. Raises StopIteration when there is none."""
        name = next(iter(self._turns))
        del self._turns[name]
        return name

    @property
    def next_time(self) -> float | None:
        """When the next one comes back."""
        return self._timers[0][0] if self._timers else None
