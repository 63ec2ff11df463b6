"""The Range of a request (RFC 9110, section 14), pure: one range of bytes, or the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """Bytes ``start`` up to, but without, ``end``."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


class NotSatisfiable(ValueError):
    """The range begins behind the end."""


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range asked for; None means the whole: no header, another unit, several ranges, or no valid syntax.

    Raises NotSatisfiable. ``size`` in bytes.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise NotSatisfiable
        return ByteRange(size - length, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return ByteRange(start, min(int(last) + 1, size) if last else size)
