"""The unified number of Brazilian court cases (CNJ Resolution 65/2008): parse, validate, show.

``NNNNNNN-DD.AAAA.J.TR.OOOO``: sequence, check digits, year, segment of the judiciary, court, origin.
The check digits are ISO 7064 MOD 97-10 over ``N AAAA J TR OOOO`` followed by ``DD``: the remainder must be 1.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SHAPE: Final = re.compile(r"(\d{7})(\d{2})(\d{4})(\d)(\d{2})(\d{4})")
_MASK: Final = re.compile(r"\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}")
_SEPARATORS: Final = frozenset(".-/ \t\u00a0\u2009\u202f")
_MAX_INPUT: Final = 64

# Segment (J) -> the courts (TR) that exist in it. Source: CNJ Resolution 65/2008, article 1, paragraphs 4 and 5.
_COURTS: Final[dict[str, frozenset[int]]] = {
    "1": frozenset({0}),  # Supremo Tribunal Federal
    "2": frozenset({0}),  # Conselho Nacional de Justiça
    "3": frozenset({0}),  # Superior Tribunal de Justiça
    "4": frozenset({0, *range(1, 7), 90}),  # Justiça Federal (TRF1 to TRF6)
    "5": frozenset({0, *range(1, 25), 90}),  # Justiça do Trabalho (TRT1 to TRT24)
    "6": frozenset({0, *range(1, 28)}),  # Justiça Eleitoral
    "7": frozenset({0, *range(1, 13)}),  # Justiça Militar da União (judicial districts)
    "8": frozenset({*range(1, 28)}),  # Justiça dos Estados e do Distrito Federal
    "9": frozenset({13, 21, 26}),  # Justiça Militar Estadual (MG, RS, SP)
}


class InvalidProcessNumber(ValueError):
    """The text is not a CNJ number. ``reason`` is a stable code: ``format``, ``check_digits`` or ``court``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ProcessNumber(str):
    """A valid CNJ number, always with its mask (25 characters). Make one with :func:`parse`."""

    __slots__ = ()

    @property
    def digits(self) -> str:
        """The 20 digits without the mask, as in object keys."""
        return self.replace("-", "").replace(".", "")

    @property
    def year(self) -> int:
        """AAAA: the year of filing."""
        return int(self[11:15])

    @property
    def segment(self) -> str:
        """J: the segment of the judiciary, one digit."""
        return self[16]

    @property
    def court(self) -> str:
        """TR: the court in its segment, two digits."""
        return self[18:20]


def check_digits(sequence: int, year: int, segment: int, court: int, origin: int) -> int:
    """The two check digits that make ``int(N AAAA J TR OOOO DD) % 97 == 1``."""
    return 98 - int(f"{sequence:07d}{year:04d}{segment:d}{court:02d}{origin:04d}00") % 97


def make(sequence: int, year: int, segment: int, court: int, origin: int) -> ProcessNumber:
    """Build a number from its parts, computing the check digits. Raises InvalidProcessNumber."""
    digits = check_digits(sequence, year, segment, court, origin)
    return parse(f"{sequence:07d}-{digits:02d}.{year:04d}.{segment:d}.{court:02d}.{origin:04d}")


def parse(text: str) -> ProcessNumber:
    """Read a number with its mask, without it, with spaces or with any Unicode dash; the mask of the result is the
    usual one.

    Accepts only courts that exist (CNJ Resolution 65/2008). Raises InvalidProcessNumber, which says whether the format,
    the court or the check digits are wrong.
    """
    if len(text) > _MAX_INPUT:
        raise InvalidProcessNumber("format", "a CNJ number has 20 digits")
    digits = text.replace("-", "").replace(".", "")
    # The usual form needs no look at each of its characters.
    match = _SHAPE.fullmatch(digits) if digits.isascii() else None
    if match is None:
        digits = _digits_of(text)
        match = _SHAPE.fullmatch(digits)
    if match is None:
        raise InvalidProcessNumber("format", f"a CNJ number has 20 digits, this one has {len(digits)}")
    sequence, check, year, segment, court, origin = match.groups()
    if int(f"{sequence}{year}{segment}{court}{origin}{check}") % 97 != 1:
        raise InvalidProcessNumber("check_digits", "the check digits do not match")
    if int(court) not in _COURTS.get(segment, frozenset()):
        raise InvalidProcessNumber("court", f"segment {segment} of the judiciary has no court {court}")
    return ProcessNumber(f"{sequence}-{check}.{year}.{segment}.{court}.{origin}")


def _digits_of(text: str) -> str:
    """The text without spaces, the mask and dashes of any kind. Raises InvalidProcessNumber when more than digits is
    left.
    """
    kept: list[str] = []
    for char in text.strip():
        if char in _SEPARATORS or unicodedata.category(char) == "Pd" or char == "\u2212":
            continue
        if not ("0" <= char <= "9"):
            raise InvalidProcessNumber("format", "a CNJ number has only digits and the mask NNNNNNN-DD.AAAA.J.TR.OOOO")
        kept.append(char)
    return "".join(kept)


def is_masked(text: str) -> bool:
    """Whether the text has exactly the mask (its digits are not checked)."""
    return _MASK.fullmatch(text) is not None
