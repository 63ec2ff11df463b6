"""What makes an offset committable: every record before it is finished. Pure.

Records of a partition are begun in the order of their offsets and finished in any order. What is committed is the
watermark (the first offset that is not finished) and, in the commit's metadata, the offsets that are finished above
it, so that after a crash or a rebalance the next member does not handle those again (Confluent's Parallel Consumer
does the same). Offsets that never arrive (transaction markers, compaction) count as finished when a later one has
arrived. When a record is finished is decided by the sink (sink.py): once the broker has acknowledged its answer.
"""

from __future__ import annotations

from collections import deque

from shared.kafka.consumer.offset_metadata import Run, decode_metadata, encode_metadata


class OffsetsWentBack(Exception):
    """A partition began again at a lower offset (its topic was made anew, or its log was cut).

    What is in flight belongs to other records than its offsets say, so the only right thing is to start again.
    """


class PartitionOffsets:
    """The offsets of one partition, from its assignment to its end. Not thread-safe.

    ``begin`` must be called in the order of the offsets; ``finish`` may be called in any order and more than once.
    """

    def __init__(self) -> None:
        self._begun: deque[int] = deque()
        """Every offset from the watermark on that was begun, in order, finished or not."""
        self._finished: set[int] = set()
        self._restored: deque[Run] = deque()
        """What an earlier member finished beyond what was begun here."""
        self._next: int | None = None
        """One more than the last offset begun; what was restored until then; None when nothing is known."""
        self._any_begun = False

    def restore(self, offset: int, metadata: str | None) -> None:
        """Start from what is committed. Metadata that is not ours, or not of this offset, counts as none.

        An ``offset`` below 0 means that nothing is committed yet: the partition then begins at its first record.
        """
        if offset < 0:
            return
        self._next = offset
        self._restored = deque(decode_metadata(offset, metadata or ""))

    def begin(self, offset: int) -> bool:
        """Note that a record has arrived; False when it must not be handled: finished before, or here already.

        Raises OffsetsWentBack.
        """
        if self._next is not None and offset < self._next:
            if offset in self._finished or offset in self._begun:
                return False
            if self._any_begun:
                raise OffsetsWentBack(f"offset {offset} after {self._next - 1}")
            self._restored.clear()
        self._any_begun = True
        while self._restored and self._restored[0][1] <= offset:
            self._restored.popleft()
        finished_before = bool(self._restored) and self._restored[0][0] <= offset
        if finished_before and not self._begun:
            self._next = offset + 1
            return False
        self._begun.append(offset)
        self._next = offset + 1
        if finished_before:
            self._finished.add(offset)
        return not finished_before

    def finish(self, offset: int) -> None:
        """Note that a begun record is done. A second time changes nothing."""
        if not self._begun or offset < self._begun[0]:
            return
        self._finished.add(offset)
        while self._begun and self._begun[0] in self._finished:
            self._finished.remove(self._begun.popleft())

    def copy(self) -> PartitionOffsets:
        """The same state, apart: to see what the position would be if more were finished."""
        twin = PartitionOffsets()
        twin._begun = self._begun.copy()
        twin._finished = self._finished.copy()
        twin._restored = self._restored.copy()
        twin._next = self._next
        twin._any_begun = self._any_begun
        return twin

    @property
    def unfinished(self) -> int:
        """How many records are begun and not finished."""
        return len(self._begun) - len(self._finished)

    @property
    def span(self) -> int:
        """How far the last begun offset is from the watermark, in offsets."""
        return 0 if not self._begun else self._begun[-1] - self._begun[0] + 1

    def position(self) -> tuple[int, str] | None:
        """The watermark to commit and its metadata; None when nothing is known yet.

        Everything below the watermark is finished. The metadata names what is finished above it, as far as it fits
        (offset_metadata.MAX_METADATA_BYTES); what does not fit is handled again after a crash.
        """
        if self._next is None:
            return None
        watermark = self._begun[0] if self._begun else self._next
        beyond = [(max(first, self._next), last) for first, last in self._restored if last > self._next]
        return watermark, encode_metadata(watermark, [*self._finished_runs(), *beyond])

    def _finished_runs(self) -> list[Run]:
        """Runs of finished offsets. Offsets in between that never arrived never will: they do not break a run."""
        runs: list[Run] = []
        start: int | None = None
        end = 0
        for offset in self._begun if self._finished else ():
            if offset in self._finished:
                start = offset if start is None else start
                end = offset + 1
            elif start is not None:
                runs.append((start, end))
                start = None
        if start is not None:
            runs.append((start, end))
        return runs
