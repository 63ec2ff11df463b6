"""Who is next at the source: cases take turns, and those that fail wait in a queue of their own. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sources.gate.case_health import CaseHealth

T = TypeVar("T")

_SUSPECTS_FIRST: Final = 8
"""Every so many turns those begin that are last otherwise: nobody waits for ever."""
_NEW_FIRST: Final = 4
_NONE: Final = object()

_ORDERS: Final = {
    "proven": (CaseHealth.PROVEN, CaseHealth.UNTRIED, CaseHealth.NEW, CaseHealth.SUSPECT),
    "new": (CaseHealth.UNTRIED, CaseHealth.NEW, CaseHealth.PROVEN, CaseHealth.SUSPECT),
    "suspects": (CaseHealth.SUSPECT, CaseHealth.UNTRIED, CaseHealth.NEW, CaseHealth.PROVEN),
}


@dataclass(slots=True)
class _Waiting(Generic[T]):
    """What waits for one case: things asked for the first time, and again."""

    first: deque[T] = field(default_factory=deque)
    again: deque[T] = field(default_factory=deque)
    stands: tuple[CaseHealth | None, CaseHealth | None] = (None, None)
    """Where the case stands for either."""


class CaseQueue(Generic[T]):
    """Waiting items by case. ``health`` tells how a case stands now; tell :meth:`place` when that changes.

    What is asked for again stands with the suspects, whatever its case is.
    """

    def __init__(self, health: Callable[[str | None], CaseHealth]) -> None:
        self._health = health
        self._cases: dict[str | None, _Waiting[T]] = {}
        self._by_health: dict[CaseHealth, OrderedDict[str | None, None]] = {each: OrderedDict() for each in CaseHealth}
        self._turns = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def untried(self) -> int:
        """Cases that wait for their first turn."""
        return len(self._by_health[CaseHealth.UNTRIED])

    @property
    def others(self) -> bool:
        """Whether cases wait that are not suspect."""
        return any(self._by_health[health] for health in (CaseHealth.UNTRIED, CaseHealth.NEW, CaseHealth.PROVEN))

    @property
    def suspects_turn(self) -> bool:
        """Whether the next turn begins with the suspects."""
        return self._turns % _SUSPECTS_FIRST == _SUSPECTS_FIRST - 1

    def push(self, item: T, case: str | None, *, again: bool) -> None:
        """Let an item wait."""
        waiting = self._cases.get(case)
        if waiting is None:
            waiting = self._cases[case] = _Waiting()
        (waiting.again if again else waiting.first).append(item)
        self._waiting += 1
        self.place(case)

    def remove(self, item: T, case: str | None) -> None:
        """Take an item out that gave up; one that is not there is no error."""
        waiting = self._cases.get(case)
        if waiting is None:
            return
        for items in (waiting.first, waiting.again):
            if item in items:
                items.remove(item)
                self._waiting -= 1
                self.place(case)
                return

    def pop(self, admits: Callable[[CaseHealth, str | None], bool]) -> tuple[T, CaseHealth] | None:
        """The next whose health and case may begin now, with the health it waited under; None when there is none."""
        for health in self._order():
            case = self._next(health, admits)
            if case is not _NONE:
                self._turns += 1
                return self._take(health, case), health  # type: ignore[arg-type]
        return None

    def place(self, case: str | None) -> None:
        """Stand the case where it belongs now, at the end if it was not there before."""
        waiting = self._cases.get(case)
        if waiting is None:
            return
        first = self._health(case) if waiting.first else None
        again = CaseHealth.SUSPECT if waiting.again else None
        if waiting.stands == (first, again):
            return
        waiting.stands = (first, again)
        if first is again is None:
            del self._cases[case]
        for each, cases in self._by_health.items():
            if each is first or each is again:
                cases.setdefault(case)
            else:
                cases.pop(case, None)

    def place_all(self) -> None:
        """As :meth:`place`, for every case that waits."""
        for case in list(self._cases):
            self.place(case)

    def _order(self) -> tuple[CaseHealth, ...]:
        if self.suspects_turn:
            return _ORDERS["suspects"]
        return _ORDERS["new" if self._turns % _NEW_FIRST == 1 else "proven"]

    def _next(self, health: CaseHealth, admits: Callable[[CaseHealth, str | None], bool]) -> object:
        cases = self._by_health[health]
        # Of the cases that had no turn yet every second is the latest: it need not wait for all that came before it.
        latest_first = health is CaseHealth.UNTRIED and self._turns % 2 == 1
        for case in reversed(cases) if latest_first else cases:
            if admits(health, case):
                return case
        return _NONE

    def _take(self, health: CaseHealth, case: str | None) -> T:
        waiting = self._cases[case]
        again = health is CaseHealth.SUSPECT and bool(waiting.again)
        item = (waiting.again if again else waiting.first).popleft()
        self._waiting -= 1
        self._by_health[health].move_to_end(case)
        self.place(case)
        return item
