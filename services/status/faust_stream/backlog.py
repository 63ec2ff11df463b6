"""How far a member of the projection's group is behind, in offsets. Pure.

What lies behind the last record of a partition are markers of transactions: they have offsets and nothing waits for
them, so that a partition which is read to its end ends with its last record (as shared/kafka/consumer/poll_thread.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass
class _Span:
    """The offsets that were handed out since the partition was assigned: the first, and one more than the last."""

    first: int
    end: int


class Backlog:
    """What was read of each partition. ``Hashable`` is a topic and its partition."""

    def __init__(self) -> None:
        self._spans: dict[Hashable, _Span] = {}

    def read(self, partition: Hashable, first: int, last: int) -> None:
        """Records from the offset ``first`` to ``last`` were handed out."""
        span = self._spans.setdefault(partition, _Span(first, last + 1))
        span.end = last + 1

    def forget(self, partitions: Iterable[Hashable]) -> None:
        """These partitions are held no longer."""
        for partition in partitions:
            self._spans.pop(partition, None)

    def behind(self, partition: Hashable, end: int, position: int, written: int | None) -> int:
        """How many offsets wait.

        ``end``: behind the last that can be read; ``position``: the next to be read; ``written``: behind the last that
        is written, None when nothing of this assignment is.
        """
        span = self._spans.get(partition)
        if span is None:
            return max(0, end - position)
        done = span.first if written is None else written
        return max(0, (span.end if position >= end else end) - done)
