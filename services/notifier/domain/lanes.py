"""Who is sent next: a lane for each endpoint, served in turn, within limits. Pure; told the time.

A delivery is offered, taken (to be claimed in the database), started (its request goes out), ended. Limits hold on
what is taken: by endpoint, by origin, by client, in all. An endpoint that lately answered quickly may have some more
taken than it may have in flight, so that claims are made ahead in batches; its requests in flight stay within the
limit. What is taken ahead uses no more than half of what its origin, its client and all may have together, and is
filled up when half is used.

A dead receiver holds its own lane's slots and nothing else. A lane keeps a bounded number of deliveries; the others
stay in the database, and ``hungry`` says when there is room for them again. A lane with nothing to do and nothing to
remember is forgotten: there may be as many endpoints as there are cases.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from services.notifier.domain.breaker import Breaker, BreakerPolicy
from services.notifier.domain.in_flight import Crowd

_QUICK_SECONDS: Final = 0.25
_IDLE_LANES: Final = 10_000
"""Lanes with nothing to do that remember a few failures: when there are so many they are forgotten too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be under way. ``interval`` is the least time (seconds) between two starts of an endpoint."""

    in_all: int = 512
    by_client: int = 256
    by_origin: int = 64
    by_endpoint: int = 4
    ahead: int = 28
    queue: int = 256
    interval: float = 0.0
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A delivery as the lanes know it."""

    delivery_id: str
    endpoint_id: str
    origin: str
    client_id: str


class _Lane:
    __slots__ = ("breaker", "filling", "in_flight", "next_at", "overflowed", "queue", "quick", "ready", "taken")

    def __init__(self, policy: BreakerPolicy) -> None:
        self.queue: deque[Ticket] = deque()
        self.ready: deque[Ticket] = deque()
        self.taken = 0
        self.in_flight = 0
        self.quick = False
        self.filling = True
        self.overflowed = False
        self.next_at = 0.0
        self.breaker = Breaker(policy)


class Lanes:
    """The lanes of one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: dict[str, _Lane] = {}
        self._known: set[str] = set()
        self._origins = Crowd(limits.by_origin)
        self._clients = Crowd(limits.by_client)
        self._taken = 0
        # Endpoints that may have something to take, in turn (a dict keeps the order).
        self._turn: dict[str, None] = {}
        self._timers: list[tuple[float, str]] = []
        self._hungry = False

    def __len__(self) -> int:
        return len(self._known)

    @property
    def taken(self) -> int:
        return self._taken

    def knows(self, delivery_id: str) -> bool:
        return delivery_id in self._known

    def offer(self, ticket: Ticket) -> bool:
        """Queue a delivery. False when it is known already, or its lane is full: then it stays in the database."""
        if ticket.delivery_id in self._known:
            return False
        lane = self._lane(ticket.endpoint_id)
        if len(lane.queue) >= self._limits.queue:
            lane.overflowed = True
            return False
        self._known.add(ticket.delivery_id)
        lane.queue.append(ticket)
        self._turn[ticket.endpoint_id] = None
        return True

    def take(self, now: float, most: int) -> list[Ticket]:
        """At most ``most`` deliveries to claim now, one of each endpoint in turn."""
        while self._timers and self._timers[0][0] <= now:
            self._turn[heapq.heappop(self._timers)[1]] = None
        found: list[Ticket] = []
        while self._turn and len(found) < most and self._taken < self._limits.in_all:
            endpoint_id = next(iter(self._turn))
            del self._turn[endpoint_id]
            ticket = self._take_from(endpoint_id, now)
            if ticket is not None:
                found.append(ticket)
                self._turn[endpoint_id] = None
        return found

    def _take_from(self, endpoint_id: str, now: float) -> Ticket | None:
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            return None
        if not lane.queue:
            if lane.next_at <= now:
                self._forget_if_idle(endpoint_id, lane)
            return None
        if not self._may_take(lane, lane.queue[0]):
            return None
        if not lane.breaker.admits(now):
            if lane.breaker.open_until is not None:
                heapq.heappush(self._timers, (lane.breaker.open_until, endpoint_id))
            return None
        if now < lane.next_at:
            heapq.heappush(self._timers, (lane.next_at, endpoint_id))
            return None
        first = lane.queue[0]
        for crowd, name in ((self._origins, first.origin), (self._clients, first.client_id)):
            if crowd.full(name):
                crowd.wait(name, endpoint_id)
                return None
        ticket = lane.queue.popleft()
        if lane.overflowed and len(lane.queue) <= self._limits.queue // 4:
            lane.overflowed = False
            self._hungry = True
        lane.breaker.taken()
        lane.next_at = now + self._limits.interval
        lane.taken += 1
        self._taken += 1
        self._origins.take(ticket.origin)
        self._clients.take(ticket.client_id)
        return ticket

    def _may_take(self, lane: _Lane, first: Ticket) -> bool:
        """Whether a lane has room. What is taken ahead is filled up once half of it is used: claims come in batches."""
        room = self._room(lane, first)
        if lane.taken >= room:
            lane.filling = False
        elif lane.taken < self._limits.by_endpoint + self._limits.ahead // 2:
            lane.filling = True
        return lane.filling

    def _room(self, lane: _Lane, first: Ticket) -> int:
        limits = self._limits
        if not lane.breaker.closed:
            return 1
        crowded = 2 * self._taken >= limits.in_all
        crowded = crowded or self._origins.crowded(first.origin) or self._clients.crowded(first.client_id)
        return limits.by_endpoint + (limits.ahead if lane.quick and not crowded else 0)

    def claimed(self, ticket: Ticket) -> None:
        """What was taken is claimed: it may start as soon as its endpoint has a slot."""
        self._lanes[ticket.endpoint_id].ready.append(ticket)

    def start(self, endpoint_id: str) -> list[Ticket]:
        """The claimed deliveries of an endpoint whose requests may go out now."""
        lane = self._lanes.get(endpoint_id)
        started: list[Ticket] = []
        while lane is not None and lane.ready and lane.in_flight < self._limits.by_endpoint:
            lane.in_flight += 1
            started.append(lane.ready.popleft())
        return started

    def held(self, endpoint_id: str) -> bool:
        """Whether the breaker is open: what is claimed is not to be sent now."""
        lane = self._lanes.get(endpoint_id)
        return lane is not None and lane.breaker.open_until is not None

    def recall(self, endpoint_id: str) -> list[Ticket]:
        """What is claimed and not started: its slots are free, and it waits again, before what came later."""
        lane = self._lanes.get(endpoint_id)
        if lane is None or not lane.ready:
            return []
        recalled = list(lane.ready)
        lane.ready.clear()
        lane.queue.extendleft(reversed(recalled))
        for ticket in recalled:
            self._release(ticket, lane)
        return recalled

    def ended(self, ticket: Ticket, now: float, *, succeeded: bool, seconds: float) -> None:
        """A request ended: its slots are free. The delivery stays known until :meth:`forget`."""
        lane = self._lanes[ticket.endpoint_id]
        lane.in_flight -= 1
        lane.quick = succeeded and seconds < _QUICK_SECONDS
        if succeeded:
            lane.breaker.succeeded()
        else:
            lane.breaker.failed(now)
        self._release(ticket, lane)

    def put_back(self, ticket: Ticket, *, known: bool = False) -> None:
        """What was taken cannot be claimed (not due, held, somebody else's): its slots are free.

        ``known``: it is not to be offered again before :meth:`forget`.
        """
        lane = self._lanes[ticket.endpoint_id]
        lane.breaker.put_back()
        self._release(ticket, lane)
        if not known:
            self.forget(ticket.delivery_id)

    def abandoned(self, ticket: Ticket) -> None:
        """What was started is not sent after all (its lease is lost): no word about the endpoint."""
        lane = self._lanes[ticket.endpoint_id]
        lane.in_flight -= 1
        lane.breaker.put_back()
        self._release(ticket, lane)

    def forget(self, delivery_id: str) -> None:
        """The delivery may be offered again."""
        self._known.discard(delivery_id)

    def _release(self, ticket: Ticket, lane: _Lane) -> None:
        lane.taken -= 1
        self._taken -= 1
        for waiting in (self._origins.release(ticket.origin), self._clients.release(ticket.client_id)):
            for endpoint_id in waiting:
                self._turn[endpoint_id] = None
        if lane.queue:
            self._turn[ticket.endpoint_id] = None
        elif not self._limits.interval:
            self._forget_if_idle(ticket.endpoint_id, lane)
        elif not lane.taken:
            # Not before its next start would be allowed.
            heapq.heappush(self._timers, (lane.next_at, ticket.endpoint_id))

    def _forget_if_idle(self, endpoint_id: str, lane: _Lane) -> None:
        if not lane.queue and not lane.taken and lane.breaker.fresh:
            del self._lanes[endpoint_id]

    @property
    def endpoints(self) -> int:
        """How many endpoints are kept in mind."""
        return len(self._lanes)

    def next_due(self) -> float | None:
        """When a held lane may be looked at again."""
        return self._timers[0][0] if self._timers else None

    def full(self) -> list[str]:
        """Endpoints of which nothing more should be loaded now: full, or held by their breaker."""
        return [
            endpoint_id
            for endpoint_id, lane in self._lanes.items()
            if len(lane.queue) >= self._limits.queue or (lane.queue and not lane.breaker.closed)
        ]

    def claimed_ahead(self) -> list[str]:
        """Endpoints with something that is claimed and not started."""
        return [endpoint_id for endpoint_id, lane in self._lanes.items() if lane.ready]

    def hungry(self) -> bool:
        """Whether a lane that overflowed has room again; asking clears it."""
        found, self._hungry = self._hungry, False
        return found

    def open_breakers(self) -> int:
        return sum(not lane.breaker.closed for lane in self._lanes.values())

    def _lane(self, endpoint_id: str) -> _Lane:
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            if len(self._lanes) >= _IDLE_LANES:
                self._lanes = {
                    name: kept
                    for name, kept in self._lanes.items()
                    if kept.queue or kept.taken or not kept.breaker.closed
                }
            lane = self._lanes[endpoint_id] = _Lane(self._limits.breaker)
        return lane
