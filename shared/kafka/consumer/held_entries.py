"""Entries that wait for a server that is away, by the time of their next try. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from shared.kafka.consumer.entry import Entry


class HeldEntries:
    """Held entries; those of one due time in the order in which they came. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, entry: Entry, due: float) -> None:
        """Hold an entry until ``due``."""
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, entry))

    def next_due(self) -> float | None:
        """When the first is due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> Entry | None:
        """The first that is due; None when there is none."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return heapq.heappop(self._heap)[2]

    def drop(self, predicate: Callable[[Entry], bool]) -> list[Entry]:
        """Take out the entries that fulfil the predicate."""
        dropped = [entry for _, _, entry in self._heap if predicate(entry)]
        if dropped:
            self._heap = [held for held in self._heap if not predicate(held[2])]
            heapq.heapify(self._heap)
        return dropped
