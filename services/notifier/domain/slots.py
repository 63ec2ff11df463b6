"""Counts what is claimed or being sent against the limits: by endpoint, by origin, by client, in all. Pure.

Whose turn it is, is decided in endpoint_queues.py; here is only how many may go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.notifier.domain.due_delivery import DueDelivery

_QUICK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """How many deliveries may be taken. ``by_endpoint`` bounds the requests in flight.

    An endpoint whose last answer was quick may have ``ahead`` more claimed, so that claims come in batches.
    """

    in_all: int = 512
    by_client: int = 256
    by_origin: int = 64
    by_endpoint: int = 4
    ahead: int = 28


class EndpointSlots:
    """The slots of one endpoint: ``taken`` are claimed or in flight."""

    __slots__ = ("in_flight", "quick", "refilling", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.in_flight = 0
        self.quick = False
        self.refilling = True

    def answered(self, *, succeeded: bool, seconds: float) -> None:
        """Remember whether the last answer was quick."""
        self.quick = succeeded and seconds < _QUICK_SECONDS


class Slots:
    """The slots of one process. Its caller keeps an EndpointSlots for each endpoint and passes it in.

    Every :meth:`take` needs one :meth:`release`. Each replica counts for itself.
    """

    def __init__(self, limits: SlotLimits) -> None:
        self._limits = limits
        self._taken = 0
        self._origins = _Counter(limits.by_origin)
        self._clients = _Counter(limits.by_client)

    @property
    def taken(self) -> int:
        """How many are taken in all."""
        return self._taken

    @property
    def all_taken(self) -> bool:
        """Whether nothing more may be taken of any endpoint."""
        return self._taken >= self._limits.in_all

    def endpoint_has_room(self, endpoint: EndpointSlots, due: DueDelivery, *, probing: bool) -> bool:
        """Whether the endpoint may have one more. ``probing``: its breaker is not closed, it may have one.

        What is claimed ahead is filled up once half of it is used: claims come in batches.
        """
        room = 1 if probing else self._room(endpoint, due)
        if endpoint.taken >= room:
            endpoint.refilling = False
        elif endpoint.taken < self._limits.by_endpoint + self._limits.ahead // 2:
            endpoint.refilling = True
        return endpoint.refilling

    def _room(self, endpoint: EndpointSlots, due: DueDelivery) -> int:
        """Claims ahead use no more than half of what the origin, the client and all may have together."""
        limits = self._limits
        scarce = 2 * self._taken >= limits.in_all
        scarce = scarce or self._origins.half_taken(due.origin) or self._clients.half_taken(due.client_id)
        return limits.by_endpoint + (limits.ahead if endpoint.quick and not scarce else 0)

    def must_wait(self, due: DueDelivery) -> bool:
        """Whether its origin or client has no slot; then :meth:`release` names its endpoint when there is one."""
        for counter, name in ((self._origins, due.origin), (self._clients, due.client_id)):
            if counter.full(name):
                counter.wait(name, due.endpoint_id)
                return True
        return False

    def take(self, endpoint: EndpointSlots, due: DueDelivery) -> None:
        """Take one slot of each kind."""
        endpoint.taken += 1
        self._taken += 1
        self._origins.take(due.origin)
        self._clients.take(due.client_id)

    def may_start(self, endpoint: EndpointSlots) -> bool:
        """Whether one more request may be in flight to the endpoint."""
        return endpoint.in_flight < self._limits.by_endpoint

    def release(self, endpoint: EndpointSlots, due: DueDelivery) -> list[str]:
        """Free the slots of one delivery; the endpoints that waited for them."""
        endpoint.taken -= 1
        self._taken -= 1
        return [*self._origins.release(due.origin), *self._clients.release(due.client_id)]


class _Counter:
    """Counts by name, each up to ``limit``, and remembers the endpoints that wait for a name."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: dict[str, int] = {}
        # In the order in which they came (a dict keeps it).
        self._waiting: dict[str, dict[str, None]] = {}

    def full(self, name: str) -> bool:
        return self._taken.get(name, 0) >= self._limit

    def half_taken(self, name: str) -> bool:
        return 2 * self._taken.get(name, 0) >= self._limit

    def wait(self, name: str, endpoint_id: str) -> None:
        self._waiting.setdefault(name, {})[endpoint_id] = None

    def take(self, name: str) -> None:
        self._taken[name] = self._taken.get(name, 0) + 1

    def release(self, name: str) -> Iterable[str]:
        left = self._taken[name] - 1
        if left:
            self._taken[name] = left
        else:
            del self._taken[name]
        return self._waiting.pop(name, ())
