"""The partitions that this member holds: what is begun, finished, to be committed, paused or resumed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.kafka.consumer.offsets import MAX_SPAN, PartitionOffsets
from shared.kafka.records import Record

Key = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Position:
    """What a group commits for a partition. An offset below 0 means that nothing is committed yet."""

    topic: str
    partition: int
    offset: int
    metadata: str = ""

    @property
    def key(self) -> Key:
        return (self.topic, self.partition)


class Holding:
    """One holding of one partition, from its assignment to its end. A later one of the same partition is another."""

    def __init__(self, start: Position) -> None:
        self.key: Final = start.key
        self.offsets = PartitionOffsets()
        self.offsets.restore(start.offset, start.metadata)
        self.ended = False
        """Revoked or lost: nothing of it may be handed out any more."""
        self.paused = False
        self.changed = False
        """Whether something was finished since the position was last taken for a commit."""
        self.touched = False
        """Whether something was finished at all."""

    def begin(self, offset: int) -> bool:
        """See PartitionOffsets.begin. What was finished before moves the position by itself."""
        fresh = self.offsets.begin(offset)
        if not fresh:
            self.changed = self.touched = True
        return fresh

    def finish(self, offset: int) -> None:
        """The record at this offset is handled and what follows from it is acknowledged."""
        self.offsets.finish(offset)
        self.changed = self.touched = True

    def position(self, also: Iterable[int] = ()) -> Position | None:
        """What can be committed now, or could if the offsets in ``also`` were finished too."""
        offsets = self.offsets
        if also:
            offsets = offsets.copy()
            for offset in also:
                offsets.finish(offset)
        found = offsets.position()
        return None if found is None else Position(*self.key, *found)


class Holdings:
    """Every holding of this member, and when a partition is full.

    A partition is full with ``max_buffered`` unfinished records, or when so many offsets lie between its watermark
    and its end that the commit's metadata could no longer tell all of them; it is open again at half of either.
    """

    def __init__(self, max_buffered: int) -> None:
        if max_buffered < 1:
            raise ValueError("max_buffered is at least 1")
        self._max_buffered = max_buffered
        self._held: dict[Key, Holding] = {}

    def assign(self, start: Position) -> Holding:
        """Begin a holding of a partition at its committed position."""
        holding = self._held[start.key] = Holding(start)
        return holding

    def accept(self, record: Record) -> Holding | None:
        """The holding that a record belongs to; None when it is not to be handled here, or not again.

        Raises OffsetsWentBack.
        """
        holding = self._held.get((record.topic, record.partition))
        if holding is None or not holding.begin(record.offset):
            return None
        return holding

    def end(self, keys: Iterable[Key]) -> list[Holding]:
        """Take partitions out; what they still have in flight can be finished, and their position be read."""
        ended = [holding for key in keys if (holding := self._held.pop(key, None)) is not None]
        for holding in ended:
            holding.ended = True
        return ended

    def all(self) -> list[Holding]:
        """Every holding that has not ended."""
        return list(self._held.values())

    def uncommitted(self) -> list[Position]:
        """Positions that have changed since they were last taken."""
        changed = [holding for holding in self._held.values() if holding.changed]
        for holding in changed:
            holding.changed = False
        return _positions(changed)

    def refused(self, keys: Iterable[Key]) -> None:
        """A commit of these failed: their positions are to be taken again."""
        for key in keys:
            if (holding := self._held.get(key)) is not None:
                holding.changed = True

    def newly_full(self) -> list[Key]:
        """Partitions to pause now."""
        full = [holding for holding in self._held.values() if not holding.paused and self._is_full(holding)]
        for holding in full:
            holding.paused = True
        return [holding.key for holding in full]

    def newly_open(self, holding: Holding) -> bool:
        """Whether this paused partition is to be resumed now."""
        offsets = holding.offsets
        half = offsets.unfinished <= self._max_buffered // 2 and offsets.span <= MAX_SPAN // 2
        if holding.ended or not holding.paused or not half:
            return False
        holding.paused = False
        return True

    def _is_full(self, holding: Holding) -> bool:
        return holding.offsets.unfinished >= self._max_buffered or holding.offsets.span >= MAX_SPAN


def last_positions(holdings: Iterable[Holding]) -> list[Position]:
    """Where holdings stand at their end, taken before or not: an earlier commit may still be under way, or fail."""
    return _positions(holding for holding in holdings if holding.touched)


def _positions(holdings: Iterable[Holding]) -> list[Position]:
    return [position for holding in holdings if (position := holding.position()) is not None]
