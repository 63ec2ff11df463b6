"""The partitions assigned to this member: what to commit for each, and when one is paused or resumed. Pure.

Which records are finished is kept by committable_offsets.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.kafka.consumer.committable_offsets import PartitionOffsets
from shared.kafka.consumer.offset_metadata import MAX_SPAN
from shared.records import Record

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
        """Topic and partition."""
        return (self.topic, self.partition)


class AssignedPartition:
    """A partition from its assignment to its end. When it is assigned again later, that is another object."""

    def __init__(self, start: Position) -> None:
        self.key: Final = start.key
        self.offsets = PartitionOffsets()
        self.offsets.restore(start.offset, start.metadata)
        self.ended = False
        """Revoked or lost: nothing of it may be handled any more."""
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
        """What can be committed now, or could if the offsets in ``also`` were finished too. None: nothing is known yet.

        Asking with ``also`` changes nothing; it is what a transaction commits together with what it writes.
        """
        offsets = self.offsets
        if also:
            offsets = offsets.copy()
            for offset in also:
                offsets.finish(offset)
        found = offsets.position()
        return None if found is None else Position(*self.key, *found)


class AssignedPartitions:
    """Every partition assigned to this member, and when one is full.

    A partition is full with ``max_buffered`` unfinished records, or when so many offsets lie between its watermark
    and its end that the commit's metadata could no longer name all of them. It is open again at half of either.
    """

    def __init__(self, max_buffered: int) -> None:
        if max_buffered < 1:
            raise ValueError("max_buffered is at least 1")
        self._max_buffered = max_buffered
        self._assigned: dict[Key, AssignedPartition] = {}

    def assign(self, start: Position) -> AssignedPartition:
        """Begin a partition at its committed position."""
        partition = self._assigned[start.key] = AssignedPartition(start)
        return partition

    def accept(self, record: Record) -> AssignedPartition | None:
        """The partition that a record belongs to; None when it is not to be handled here, or not again.

        Raises OffsetsWentBack.
        """
        partition = self._assigned.get((record.topic, record.partition))
        if partition is None or not partition.begin(record.offset):
            return None
        return partition

    def end(self, keys: Iterable[Key]) -> list[AssignedPartition]:
        """Take partitions out; what they still have in flight can be finished, and their position be read."""
        ended = [partition for key in keys if (partition := self._assigned.pop(key, None)) is not None]
        for partition in ended:
            partition.ended = True
        return ended

    def all(self) -> list[AssignedPartition]:
        """Every partition that has not ended."""
        return list(self._assigned.values())

    def uncommitted(self) -> list[Position]:
        """Positions that have changed since they were last taken."""
        changed = [partition for partition in self._assigned.values() if partition.changed]
        for partition in changed:
            partition.changed = False
        return _positions(changed)

    def refused(self, keys: Iterable[Key]) -> None:
        """A commit of these failed: their positions are to be taken again."""
        for key in keys:
            if (partition := self._assigned.get(key)) is not None:
                partition.changed = True

    def newly_full(self) -> list[Key]:
        """Partitions to pause now."""
        full = [partition for partition in self._assigned.values() if not partition.paused and self._is_full(partition)]
        for partition in full:
            partition.paused = True
        return [partition.key for partition in full]

    def newly_open(self, partition: AssignedPartition) -> bool:
        """Whether this paused partition is to be resumed now."""
        offsets = partition.offsets
        half = offsets.unfinished <= self._max_buffered // 2 and offsets.span <= MAX_SPAN // 2
        if partition.ended or not partition.paused or not half:
            return False
        partition.paused = False
        return True

    def _is_full(self, partition: AssignedPartition) -> bool:
        return partition.offsets.unfinished >= self._max_buffered or partition.offsets.span >= MAX_SPAN


def last_positions(partitions: Iterable[AssignedPartition]) -> list[Position]:
    """What to commit for partitions at their end, even if it was committed before: that may be under way, or fail."""
    return _positions(partition for partition in partitions if partition.touched)


def _positions(partitions: Iterable[AssignedPartition]) -> list[Position]:
    return [position for partition in partitions if (position := partition.position()) is not None]
