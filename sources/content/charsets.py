"""The character set that a text's bytes obey, whatever its header, its meta or its XML declaration says. Pure.

The platform turns texts into UTF-8 and leaves the words of before in them; other servers call Latin-1 UTF-8. So: bytes
above 127 that are valid UTF-8 are UTF-8; bytes that are none are what is said, if that is something else, or what
browsers take for Latin-1. A text of ASCII alone is whatever it is said to be.
"""

from __future__ import annotations

import codecs
from typing import Final

_UTF8: Final = "utf-8"
_MARKS: Final = ((codecs.BOM_UTF8, _UTF8), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_GOOD_FOR_A_BAD: Final = 20
"""A text with so many good sequences for each bad one is UTF-8 with a stray byte in it."""
_WINDOWS_ONLY: Final = frozenset(range(0x80, 0xA0))


class CharsetWatch:
    """Feed it a text's bytes as they come, then ask for its :meth:`result`. Memory does not grow."""

    def __init__(self, *named: str | None) -> None:
        """``named`` are the names that were given, the most trusted first."""
        self._named = [name for name in named if name is not None]
        self._decoder = codecs.getincrementaldecoder(_UTF8)("replace")
        self._mark: str | None = None
        self._started = False
        self._good = 0
        self._bad = 0
        self._windows = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if not self._started and piece:
            self._started = True
            self._mark = next((name for mark, name in _MARKS if piece.startswith(mark)), None)
        if self._mark is None:
            self._count(piece, final=False)

    def result(self) -> str | None:
        """The character set; None where there is nothing to tell it by."""
        if self._mark is not None:
            return self._mark
        if self._good and self._good >= _GOOD_FOR_A_BAD * self._bad:
            return _UTF8
        others = [name for name in self._named if _known(name)]
        if not self._bad:
            return others[0] if others else None
        others = [name for name in others if _known(name) not in ("utf-8", "ascii")]
        if others:
            return others[0]
        return "windows-1252" if self._windows else "iso-8859-1"

    def _count(self, piece: bytes, *, final: bool) -> None:
        if piece.isascii() and not final:
            # A sequence that was cut by ASCII is a bad one; the decoder says so with the next letter.
            self._add(self._decoder.decode(piece[:1]), piece[:1])
            return
        self._add(self._decoder.decode(piece, final), piece)

    def _add(self, text: str, piece: bytes) -> None:
        bad = text.count("\ufffd") - piece.count(b"\xef\xbf\xbd")
        self._bad += max(0, bad)
        if not text.isascii():
            self._good += len(text) - len(text.encode("ascii", "ignore")) - text.count("\ufffd")
        if bad > 0 and not self._windows:
            self._windows = not _WINDOWS_ONLY.isdisjoint(piece)


def _known(name: str) -> str | None:
    """Python's name for a character set; None for a word that is none."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    # Python's codecs include some that are no character set, such as base64.
    return found.name if getattr(found, "_is_text_encoding", True) else None
