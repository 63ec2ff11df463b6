"""Who asks the source, and what is at the source now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sources.gate.breaker import BreakerState, Permit
from sources.gate.case_health import CaseHealth


class SourceCaller(NamedTuple):
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


NO_CASE: Final = SourceCaller()


class AdmittedRequest(NamedTuple):
    """One admitted request. ``read_timeout``: seconds for each piece of the answer; None: as long as is set."""

    permit: Permit
    era: int
    caller: SourceCaller = NO_CASE
    health: CaseHealth = CaseHealth.PROVEN
    read_timeout: float | None = None
    unhurried: bool = False
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


class InFlight:
    """What is at the source now: in all, by case, and of the cases whose health gives them a share of the places."""

    def __init__(self) -> None:
        self.total = self.unhurried = self.unproven = 0
        self._by_case: dict[str | None, int] = {}

    def of(self, case: str | None) -> int:
        """Requests of this case at the source now."""
        return self._by_case.get(case, 0)

    def entered(self, admitted: AdmittedRequest) -> None:
        """A request was admitted."""
        self._count(admitted, 1)

    def left(self, admitted: AdmittedRequest) -> None:
        """A request has ended. Once for each that entered."""
        self._count(admitted, -1)
        if self._by_case[admitted.caller.case] == 0:
            del self._by_case[admitted.caller.case]

    def _count(self, admitted: AdmittedRequest, step: int) -> None:
        self.total += step
        self.unhurried += step * admitted.unhurried
        self.unproven += step * (admitted.unhurried or admitted.health is not CaseHealth.PROVEN)
        case = admitted.caller.case
        self._by_case[case] = self._by_case.get(case, 0) + step
