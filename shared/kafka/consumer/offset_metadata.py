"""The finished offsets above a watermark as the text of a commit's metadata, and back. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

MAX_METADATA_BYTES: Final = 3_500
"""Below the broker's default offset.metadata.max.bytes of 4,096."""

MAX_SPAN: Final = 16_000
"""How many offsets above the watermark always fit in the metadata, however they are mixed."""

_PREFIX: Final = "a1."
_MAX_RAW_BYTES: Final = (MAX_METADATA_BYTES - len(_PREFIX)) * 3 // 4 - 4 - 1 - 4
_RUNS: Final = b"r"
_BITMAP: Final = b"b"
_LARGEST_OFFSET: Final = 2**63 - 1

Run = tuple[int, int]
"""Offsets from the first number on, up to and without the second."""


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
