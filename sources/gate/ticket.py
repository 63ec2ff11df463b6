"""Who asks the source, and what is at the source now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sources.gate.breaker import BreakerState, Permit
from sources.gate.standing import Standing


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to ask. ``case`` None: nobody's, taken as well proven."""

    case: str | None = None
    again: bool = False
    """It was asked for before, and the source was not there for it."""
    about_case: bool = False
    """The case itself is read."""
    control: bool = False
    """The gate's own request, to find out whether the source is there."""
    throttled: int = 0
    """How often it was answered 429, others having been given documents in between."""


NOBODY: Final = Asker()


@dataclass(frozen=True, slots=True)
class Ticket:
    """One admitted request. ``patience``: seconds for each piece of the answer; None: as long as is set."""

    permit: Permit
    era: int
    asker: Asker = NOBODY
    lane: Standing = Standing.PROVEN
    patience: float | None = None
    patient: bool = False
    began: float = 0.0


@dataclass(frozen=True, slots=True)
class GateSnapshot:
    """For metrics and decisions: counts of requests, and seconds that the source is still paused."""

    limit: int
    ceiling: int
    in_flight: int
    waiting: int
    breaker: BreakerState
    opened_count: int
    paused_for: float


class Counts:
    """What is at the source now: in all, by case, and of the lanes that have a share of the places."""

    def __init__(self) -> None:
        self.total = self.patient = self.unproven = 0
        self._by_case: dict[str | None, int] = {}

    def of(self, case: str | None) -> int:
        return self._by_case.get(case, 0)

    def entered(self, ticket: Ticket) -> None:
        self._count(ticket, 1)

    def left(self, ticket: Ticket) -> None:
        self._count(ticket, -1)
        if self._by_case[ticket.asker.case] == 0:
            del self._by_case[ticket.asker.case]

    def _count(self, ticket: Ticket, step: int) -> None:
        self.total += step
        self.patient += step * ticket.patient
        self.unproven += step * (ticket.patient or ticket.lane is not Standing.PROVEN)
        case = ticket.asker.case
        self._by_case[case] = self._by_case.get(case, 0) + step
