"""What the source was asked: totals, by route, by answer, by case, and how much of it at once."""

from __future__ import annotations

from collections import Counter

from autos.local.pdpj.control_model import CaseCounters


class _CaseTally:
    __slots__ = ("case_requests", "document_requests", "in_flight", "max_in_flight")

    def __init__(self) -> None:
        self.case_requests = 0
        self.document_requests: Counter[str] = Counter()
        self.in_flight = 0
        self.max_in_flight = 0


class Counters:
    """Counts since the start or the last reset. A reset keeps what is in flight, which is a fact and not a count."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.by_case: dict[str, _CaseTally] = {}
        self._clear()

    def _clear(self) -> None:
        self.requests_total = 0
        self.by_route: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_failure: Counter[str] = Counter()
        self.token_requests = 0
        self.bytes_sent = 0
        self.max_in_flight = self.in_flight

    def reset(self) -> None:
        self._clear()
        kept = {number: tally for number, tally in self.by_case.items() if tally.in_flight}
        for tally in kept.values():
            tally.case_requests = 0
            tally.document_requests.clear()
            tally.max_in_flight = tally.in_flight
        self.by_case = kept

    def arrived(self, route: str) -> None:
        """A request came in."""
        self.requests_total += 1
        self.by_route[route] += 1

    def began(self) -> None:
        """A read of the API is being served."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def ended(self, sent: int) -> None:
        """It ended, after ``sent`` bytes of body."""
        self.in_flight -= 1
        self.bytes_sent += sent

    def answered(self, status: str, failure: str | None = None) -> None:
        self.by_status[status] += 1
        if failure is not None:
            self.by_failure[failure] += 1

    def read_case(self, number: str) -> None:
        self._tally(number).case_requests += 1

    def began_document(self, number: str, document_id: str) -> None:
        tally = self._tally(number)
        tally.document_requests[document_id] += 1
        tally.in_flight += 1
        tally.max_in_flight = max(tally.max_in_flight, tally.in_flight)

    def ended_document(self, number: str) -> None:
        self._tally(number).in_flight -= 1

    def case(self, number: str) -> CaseCounters:
        tally = self.by_case.get(number) or _CaseTally()
        return CaseCounters(
            case_requests=tally.case_requests,
            document_requests=dict(tally.document_requests),
            in_flight=tally.in_flight,
            max_in_flight=tally.max_in_flight,
        )

    def _tally(self, number: str) -> _CaseTally:
        tally = self.by_case.get(number)
        if tally is None:
            tally = self.by_case[number] = _CaseTally()
        return tally
