"""Reads what aiokafka cannot: a record with a header whose name is not UTF-8. The one user of its record classes.

aiokafka raises UnicodeDecodeError in the middle of a batch and would meet the same record again for ever. A batch in
which that happens is read once more by a slower reader that gives such a record without its headers, marked.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka.consumer import fetcher  # type: ignore[import-untyped]
from aiokafka.record.default_records import (  # type: ignore[import-untyped]
    _DefaultRecordBatchPy,
    _DefaultRecordPy,
)
from aiokafka.record.memory_records import _MemoryRecordsPy  # type: ignore[import-untyped]
from aiokafka.record.util import decode_varint  # type: ignore[import-untyped]

from services.status.faust_stream.supported import check_library

PRIVATE_MEMBERS: Final[Mapping[tuple[str, str], Mapping[type, Sequence[str]]]] = {
    ("aiokafka", "0.14"): {
        _DefaultRecordBatchPy: ("_read_msg", "_buffer", "_pos"),
        _MemoryRecordsPy: ("_next_slice", "_cache_next"),
        fetcher.PartitionRecords: ("_unpack_records", "_records", "_aborted_transactions", "_aborted_producers"),
    }
}
"""What is used or overridden here although it is not public."""

for (_name, _series), _members in PRIVATE_MEMBERS.items():
    check_library(_name, _series, _members)

UNREADABLE: Final = "autos-unreadable-headers"
"""The one header of a record whose own cannot be read; no header of ours has this name."""

_MAGIC_OFFSET: Final = struct.calcsize(">qii")
_FirstReader: Final = fetcher.MemoryRecords


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose records can all be read."""

    _pos: int

    def _read_msg(self, decode_varint: Any = decode_varint) -> _DefaultRecordPy:
        try:
            return super()._read_msg(decode_varint)
        except UnicodeDecodeError:
            return self._without_headers()

    def _without_headers(self) -> _DefaultRecordPy:
        """As the base reads a record (KIP-98, record format v2), up to its headers."""
        buffer = self._buffer
        length, pos = decode_varint(buffer, self._pos)
        end = pos + length
        _, pos = decode_varint(buffer, pos)
        delta, pos = decode_varint(buffer, pos)
        timestamp = self.max_timestamp if self.timestamp_type == self.LOG_APPEND_TIME else self.first_timestamp + delta
        delta, pos = decode_varint(buffer, pos)
        parts: list[bytes | None] = []
        for _ in ("key", "value"):
            size, pos = decode_varint(buffer, pos)
            parts.append(bytes(buffer[pos : pos + size]) if size >= 0 else None)
            pos += max(0, size)
        self._pos = end
        marked = [(UNREADABLE, b"")]
        return _DefaultRecordPy(self.base_offset + delta, timestamp, self.timestamp_type, *parts, marked)


class _SecondReader(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches of an answer, read by the class above where they can have headers at all."""

    def next_batch(self, *arguments: Any) -> Any:
        """The next batch; None at the end. Old formats, which have no headers, are read as the base reads them."""
        coming = self._next_slice
        if coming is None or coming[_MAGIC_OFFSET] < 2:
            return super().next_batch(*arguments)
        self._cache_next()
        return _Batch(coming)


class _Kept:
    """The quick reader, and the bytes that it reads."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        reader = _FirstReader(answer)
        self.has_next = reader.has_next
        self.next_batch = reader.next_batch
        self.size_in_bytes = reader.size_in_bytes


class LenientPartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one partition in one answer."""

    _records: Any
    _aborted_producers: set[int]

    def __init__(self, tp: Any, records: _Kept, aborted_transactions: Any, *others: Any) -> None:
        super().__init__(tp, records, aborted_transactions, *others)
        self._all_aborted = list(aborted_transactions or ())

    def _unpack_records(self) -> Any:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            # From the beginning of the answer; what was given already lies below next_fetch_offset and is left out.
            self._records = _SecondReader(self._records.answer)
            self._aborted_transactions = sorted(self._all_aborted, key=lambda aborted: aborted[1])
            self._aborted_producers = set()
            yield from super()._unpack_records()


def read_leniently() -> None:
    """Have every aiokafka consumer of this process read so; can be repeated."""
    fetcher.MemoryRecords = _Kept
    fetcher.PartitionRecords = LenientPartitionRecords
