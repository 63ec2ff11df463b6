"""What is kept of one case at most: numbers of items and lengths of texts (docs/reference/limits.md).

A case can be of any size: a broken one has listed millions of movements. What is beyond a bound is counted in
``Case.left_out``, so that a view can say it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

NAME_TEXT: Final = 500
"""Characters of the name of a party or representative, and of a subject's description."""
SHORT_TEXT: Final = 200
"""Characters of a code, a role, a court, a class."""
MOVEMENT_TEXT: Final = 2000
"""Characters of a movement's description."""


@dataclass(frozen=True, slots=True)
class CaseLimits:
    """How many of each are kept of one case; of movements the newest, of everything else the first that are listed."""

    documents: int = 100_000
    movements: int = 20_000
    parties: int = 5_000
    subjects: int = 200
    representatives: int = 50
    """Representatives of one party."""


DEFAULT_LIMITS: Final = CaseLimits()


class LeftOutCounts(dict[str, int]):
    """How many items of each kind were left out; kinds of which nothing was left out are not in it."""

    def first(self, kind: str, items: Sequence[T], limit: int) -> Sequence[T]:
        """The first ``limit`` items; the rest is counted."""
        self.add(kind, len(items) - limit)
        return items[:limit]

    def add(self, kind: str, amount: int) -> None:
        """Count what was left out; nothing for an amount that is not positive."""
        if amount > 0:
            self[kind] = self.get(kind, 0) + amount
