"""Who is next: groups of items served in turn, a limit for each group, and items that are not due yet.

Pure: no clock, no I/O. A group that comes late waits for at most one turn of the groups before it, however much
they hold (docs/adr/0004-consumer-runtime.md).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Group(Generic[T]):
    waiting: deque[T] = field(default_factory=deque)
    in_flight: int = 0
    in_turn: bool = False
    """Whether the group stands in the line of groups to be served."""


class FairQueue(Generic[T]):
    """Items by group. ``per_group`` is how many of one group may be out (popped and not done) at once."""

    def __init__(self, per_group: int) -> None:
        if per_group < 1:
            raise ValueError("per_group is at least 1")
        self._per_group = per_group
        self._groups: dict[str, _Group[T]] = {}
        self._turns: deque[str] = deque()
        self._later: list[tuple[float, int, str, T]] = []
        self._pushed = 0
        self._ready = 0

    def __len__(self) -> int:
        """How many items wait, due or not; those in flight do not count."""
        return self._ready + len(self._later)

    def __contains__(self, group: object) -> bool:
        """Whether anything of the group waits for its turn or is out; what is not due yet does not count."""
        return group in self._groups

    def push(self, item: T, group: str, not_before: float | None = None) -> None:
        """Add an item at the end of its group; one with ``not_before`` joins the group when that time has come."""
        if not_before is None:
            self._join(item, group)
            return
        self._pushed += 1
        heapq.heappush(self._later, (not_before, self._pushed, group, item))

    def pop(self, now: float) -> T | None:
        """The next item of the next group in turn, which is then in flight; None when there is none to serve."""
        while self._later and self._later[0][0] <= now:
            _, _, name, item = heapq.heappop(self._later)
            self._join(item, name)
        if not self._turns:
            return None
        name = self._turns.popleft()
        group = self._groups[name]
        group.in_turn = False
        item = group.waiting.popleft()
        self._ready -= 1
        group.in_flight += 1
        self._stand_in_line(name, group)
        return item

    def done(self, group: str) -> None:
        """One item of the group is no longer in flight. Raises ValueError for a group of which nothing is."""
        state = self._groups.get(group)
        if state is None or state.in_flight == 0:
            raise ValueError("done without a pop")
        state.in_flight -= 1
        self._stand_in_line(group, state)
        self._forget_if_empty(group, state)

    def next_due(self) -> float | None:
        """When the first item that is not due yet becomes due; None when there is none."""
        return self._later[0][0] if self._later else None

    def drop(self, predicate: Callable[[T], bool]) -> list[T]:
        """Take out the waiting items that fulfil the predicate. Those in flight stay, and must be done."""
        dropped: list[T] = []
        for name, group in list(self._groups.items()):
            kept: deque[T] = deque()
            for item in group.waiting:
                if predicate(item):
                    dropped.append(item)
                else:
                    kept.append(item)
            group.waiting = kept
            if group.in_turn and not kept:
                group.in_turn = False
            self._forget_if_empty(name, group)
        self._turns = deque(name for name in self._turns if name in self._groups and self._groups[name].in_turn)
        self._ready -= len(dropped)
        later = [entry for entry in self._later if not predicate(entry[3])]
        if len(later) != len(self._later):
            dropped.extend(entry[3] for entry in self._later if predicate(entry[3]))
            heapq.heapify(later)
            self._later = later
        return dropped

    def _join(self, item: T, name: str) -> None:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        group.waiting.append(item)
        self._ready += 1
        self._stand_in_line(name, group)

    def _stand_in_line(self, name: str, group: _Group[T]) -> None:
        if group.waiting and not group.in_turn and group.in_flight < self._per_group:
            group.in_turn = True
            self._turns.append(name)

    def _forget_if_empty(self, name: str, group: _Group[T]) -> None:
        if not group.waiting and group.in_flight == 0:
            del self._groups[name]
