"""For how long nobody asks the source, by its own wish. Pure; the clock is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_FIRST: Final = 5.0
_LONGEST: Final = 60.0
_REFUSED: Final = 30.0
"""Seconds; after a 429 without a wish, doubled up to the longest, and after refused credentials."""


class Pauses:
    """Seconds of ``clock``. What begins a pause returns its seconds, or None where it begins none."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0
        self._next = _FIRST

    @property
    def left(self) -> float:
        """Seconds that nobody may ask."""
        return max(0.0, self._until - self._clock())

    def pause(self, seconds: float) -> None:
        """A longer pause that is on stays."""
        self._until = max(self._until, self._clock() + seconds)

    def asked(self, seconds: float | None) -> float | None:
        """The source asks for so many seconds, if for any."""
        if seconds is None or seconds <= 0:
            return None
        self.pause(seconds)
        return seconds

    def throttled(self, wish: float | None) -> float | None:
        """A 429, with the wish that came with it."""
        if wish is not None:
            return self.asked(wish)
        seconds, self._next = self._next, min(_LONGEST, 2 * self._next)
        return self.asked(seconds)

    def refused(self, wish: float | None) -> float | None:
        """The credentials are refused."""
        return self.asked(_REFUSED if wish is None else wish)

    def over(self) -> None:
        """The source gives again."""
        self._next = _FIRST
