"""How each case has fared at the source lately, so that one that fails does not take the others' places. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final

_KEPT: Final = 10_000
_FIRST_SCORE: Final = 0.3
_WEIGHT: Final = 0.2
"""What one outcome counts: the score is the share of failures, older ones fading."""
_PROVEN_BELOW: Final = 0.25
"""One success makes a new case proven; one failure in a hundred leaves it so."""
_SUSPECT_FROM: Final = 0.4
"""A new case's first failure, or a proven one's third in a row."""


# A number: it is looked up by for each request, and the hash of any other enum is made in Python.
class CaseHealth(IntEnum):
    """What is known of a case."""

    UNTRIED = auto()
    """Nothing was asked for it yet."""
    NEW = auto()
    """It has no success yet, or fails often."""
    PROVEN = auto()
    SUSPECT = auto()
    """Most of what was asked for it lately failed in a way that could be an outage."""


@dataclass(slots=True)
class _Case:
    score: float = _FIRST_SCORE
    tried: bool = False


class CaseHealths:
    """The health of the last ten thousand cases; a forgotten case is new again.

    ``None`` stands for requests of no case; it is always proven.
    """

    def __init__(self) -> None:
        self._cases: OrderedDict[str, _Case] = OrderedDict()

    def of(self, case: str | None) -> CaseHealth:
        """The health now."""
        if case is None:
            return CaseHealth.PROVEN
        known = self._cases.get(case)
        if known is None or not known.tried:
            return CaseHealth.UNTRIED
        if known.score >= _SUSPECT_FROM:
            return CaseHealth.SUSPECT
        return CaseHealth.PROVEN if known.score < _PROVEN_BELOW else CaseHealth.NEW

    def tried(self, case: str | None) -> None:
        """Something is being asked for the case."""
        if case is not None:
            self._known(case).tried = True

    def succeeded(self, case: str | None) -> None:
        """The source answered, be it with an error about the document."""
        if case is not None:
            self._count(case, 0.0)

    def failed(self, case: str | None) -> None:
        """The source was not there for the case, or too slow."""
        if case is not None:
            self._count(case, 1.0)

    def forgive(self) -> None:
        """The failures were the source's: nobody is suspect for them."""
        for case in self._cases.values():
            case.score = min(case.score, _FIRST_SCORE)

    def _count(self, case: str, outcome: float) -> None:
        known = self._known(case)
        known.tried = True
        known.score += _WEIGHT * (outcome - known.score)

    def _known(self, case: str) -> _Case:
        known = self._cases.get(case)
        if known is None:
            known = self._cases[case] = _Case()
            if len(self._cases) > _KEPT:
                self._cases.popitem(last=False)
        else:
            self._cases.move_to_end(case)
        return known
