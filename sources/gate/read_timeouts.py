"""How long a first try may stay silent, learned from how soon the source usually begins to answer. Pure."""

from __future__ import annotations

from typing import Final

TIERS: Final = (1.0, 3.0, 6.0, 12.0, 24.0, 48.0)
"""Seconds; each is a connection pool of its own, because a pool has one read time-out."""

_FLOOR: Final = 3.0
_TIMES_TYPICAL: Final = 4.0
_WEIGHT: Final = 0.1


class ReadTimeouts:
    """Cases and documents apart: a large case takes the source longer than the head of a document."""

    def __init__(self) -> None:
        self._typical: dict[bool, float] = {}

    def learn(self, seconds: float, *, about_case: bool) -> None:
        """A good answer began after so many seconds."""
        known = self._typical.get(about_case, seconds)
        self._typical[about_case] = known + _WEIGHT * (seconds - known)

    def seconds(self, *, about_case: bool, crowd: bool = False) -> float | None:
        """The tier of four times the usual, at least 3 s; None when that is longer than any: as long as is set.

        ``crowd``: many cases wait for their first turn; then it may be less than 3 s where the usual is known.
        """
        typical = self._typical.get(about_case)
        floor = 0.0 if crowd and typical is not None else _FLOOR
        wanted = max(floor, _TIMES_TYPICAL * (typical or 0.0))
        return next((tier for tier in TIERS if tier >= wanted), None)
