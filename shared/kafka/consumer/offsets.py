"""Which offsets of one partition are finished: the watermark to commit, and what is finished above it.

Records are begun in the order of their offsets and finished in any order. What is committed is the watermark (the
first offset not finished) and, in the commit's metadata, the offsets that are finished above it, so that after a
crash or a rebalance the next holder does not handle those again (Confluent's Parallel Consumer does the same).
Offsets that never arrive (transaction markers, compaction) count as finished when a later one has arrived.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

MAX_METADATA_BYTES: Final = 3_500
"""Below the broker's default offset.metadata.max.bytes of 4,096."""

MAX_SPAN: Final = 16_000
"""So many offsets above the watermark always fit in the metadata, however they are mixed."""

_PREFIX: Final = "a1."
_MAX_RAW_BYTES: Final = (MAX_METADATA_BYTES - len(_PREFIX)) * 3 // 4 - 4 - 1 - 4
_RUNS: Final = b"r"
_BITMAP: Final = b"b"
_LARGEST_OFFSET: Final = 2**63 - 1

Run = tuple[int, int]
"""Offsets from the first number on, up to and without the second."""


class OffsetsWentBack(Exception):
    """A partition began again at a lower offset (its topic was made anew, or its log was cut).

    What is in flight belongs to other records than its offsets say, so the only right thing is to start again.
    """


class PartitionOffsets:
    """The offsets of one partition in one holding of it. Not thread-safe, no I/O."""

    def __init__(self) -> None:
        self._begun: deque[int] = deque()
        """Every offset from the watermark on that was begun, in order, finished or not."""
        self._finished: set[int] = set()
        self._restored: deque[Run] = deque()
        """What an earlier holder finished beyond what was begun here."""
        self._next: int | None = None
        """One more than the last offset begun; what was restored until then; None when nothing is known."""
        self._any_begun = False

    def restore(self, offset: int, metadata: str | None) -> None:
        """Start from what is committed. Metadata that is not ours, or not of this offset, counts as none."""
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

    def is_finished(self, offset: int) -> bool:
        """Whether a record at this offset needs no handling."""
        if self._next is None:
            return False
        if offset < self._next:
            return offset in self._finished or (offset not in self._begun)
        return any(first <= offset < last for first, last in self._restored)

    @property
    def unfinished(self) -> int:
        """How many records are begun and not finished."""
        return len(self._begun) - len(self._finished)

    @property
    def span(self) -> int:
        """How far the last begun offset is from the watermark, in offsets."""
        return 0 if not self._begun else self._begun[-1] - self._begun[0] + 1

    def position(self) -> tuple[int, str] | None:
        """The offset to commit and its metadata; None when nothing is known yet."""
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


def encode_metadata(offset: int, runs: Sequence[Run]) -> str:
    """Finished runs above ``offset``, in order and apart, as a text of at most MAX_METADATA_BYTES.

    The shorter of run lengths and a bitmap; what does not fit is left out from the end (it is handled again).
    A checksum over the offset and the content keeps a foreign or misplaced text from being believed.
    """
    relative = [(max(first - offset, 0), last - offset) for first, last in runs if last > offset]
    if not relative:
        return ""
    kind, raw = _RUNS, _encode_runs(relative)
    if relative[-1][1] < len(raw) * 8 or (len(raw) >= _MAX_RAW_BYTES - 20 and _bitmap_covers_more(relative, raw)):
        kind, raw = _BITMAP, _encode_bitmap(relative)
    body = kind + raw
    return _PREFIX + base64.urlsafe_b64encode(_checksum(offset, body) + body).decode()


def decode_metadata(offset: int, metadata: str) -> list[Run]:
    """The finished runs in a commit's metadata; none when it is not ours, damaged, or of another offset."""
    if not metadata.startswith(_PREFIX) or not metadata.isascii():
        return []
    try:
        raw = base64.b64decode(metadata[len(_PREFIX) :].encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return []
    checksum, body = raw[:4], raw[4:]
    if not body or checksum != _checksum(offset, body):
        return []
    relative = _decode_bitmap(body[1:]) if body[:1] == _BITMAP else _decode_runs(body[1:])
    return [(offset + first, offset + last) for first, last in relative if offset + last <= _LARGEST_OFFSET]


def _checksum(offset: int, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(offset.to_bytes(8, "big"))).to_bytes(4, "big")


def _encode_runs(runs: Iterable[Run]) -> bytes:
    raw = bytearray()
    at = 0
    for first, last in runs:
        pair = _varint(first - at) + _varint(last - first)
        if len(raw) + len(pair) > _MAX_RAW_BYTES:
            break
        raw += pair
        at = last
    return bytes(raw)


def _decode_runs(raw: bytes) -> list[Run]:
    runs: list[Run] = []
    at = 0
    numbers = _varints(raw)
    for skipped, length in zip(numbers[::2], numbers[1::2], strict=False):
        if length:
            runs.append((at + skipped, at + skipped + length))
        at += skipped + length
    return runs


def _bitmap_covers_more(runs: Sequence[Run], raw: bytes) -> bool:
    limit = _MAX_RAW_BYTES * 8
    in_bitmap = sum(min(last, limit) - first for first, last in runs if first < limit)
    return in_bitmap > sum(last - first for first, last in _decode_runs(raw))


def _encode_bitmap(runs: Iterable[Run]) -> bytes:
    limit = _MAX_RAW_BYTES * 8
    bits = 0
    for first, last in runs:
        if first >= limit:
            break
        last = min(last, limit)
        bits |= ((1 << (last - first)) - 1) << first
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def _decode_bitmap(raw: bytes) -> list[Run]:
    # One extra zero bit at the end closes a run that reaches it.
    text = f"{int.from_bytes(raw, 'little'):b}"[::-1] + "0"
    runs: list[Run] = []
    at = text.find("1")
    while at >= 0:
        end = text.index("0", at)
        runs.append((at, end))
        at = text.find("1", end)
    return runs


def _varint(number: int) -> bytes:
    """Little-endian base 128, the high bit says that more follows (as in Protocol Buffers)."""
    raw = bytearray()
    while number > 0x7F:
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    raw.append(number)
    return bytes(raw)


def _varints(raw: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in raw:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
