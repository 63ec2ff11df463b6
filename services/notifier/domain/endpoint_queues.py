"""Who is sent next: a queue for each endpoint, served in turn, within the slots. Pure; the caller passes the time.

A delivery is offered, taken (to be claimed in the database), claimed, started (its request goes out), ended, and
forgotten. Slots (slots.py) are held from taken to ended. A dead receiver holds its own endpoint's slots and no others.

A queue keeps at most QUEUE_CAPACITY deliveries. The others stay in the database, and ``has_room_again`` says when to
load more. A queue with nothing to do and nothing to remember is forgotten: each case may have an endpoint of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_breaker import EndpointBreaker, EndpointBreakerPolicy
from services.notifier.domain.slots import EndpointSlots, SlotLimits, Slots
from services.notifier.domain.turns import Turns

QUEUE_CAPACITY: Final = 256
"""Deliveries of one endpoint that wait in memory. A sweep loads a few more of each endpoint (sweeper.py)."""
_IDLE_QUEUES: Final = 10_000
"""Queues with nothing to do that remember a few failures: when there are so many, they are forgotten too."""


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The limits of the queues. ``interval`` is the least time (seconds) between two starts of an endpoint."""

    slots: SlotLimits = field(default_factory=SlotLimits)
    capacity: int = QUEUE_CAPACITY
    interval: float = 0.0
    breaker: EndpointBreakerPolicy = field(default_factory=EndpointBreakerPolicy)


class _EndpointQueue:
    """``waiting`` are offered, ``claimed`` are ours and not started; ``overflowed``: the database has more."""

    __slots__ = ("breaker", "claimed", "interval", "next_start_at", "overflowed", "slots", "waiting")

    def __init__(self, policy: EndpointBreakerPolicy) -> None:
        self.waiting: deque[DueDelivery] = deque()
        self.claimed: deque[DueDelivery] = deque()
        self.slots = EndpointSlots()
        self.breaker = EndpointBreaker(policy)
        self.interval = 0.0
        self.next_start_at = 0.0
        self.overflowed = False


class EndpointQueues:
    """The queues of one process, on one event loop. Times are monotonic seconds.

    Whatever is taken must come back by ``ended``, ``abandoned`` or ``put_back``, and every delivery by ``forget``:
    slots are counted, and a delivery that is known is not offered again.
    """

    def __init__(self, policy: QueuePolicy) -> None:
        self._policy = policy
        self._slots = Slots(policy.slots)
        self._queues: dict[str, _EndpointQueue] = {}
        self._known: set[str] = set()
        self._turns = Turns()
        self._room_again = False

    # What is in here.

    def __len__(self) -> int:
        """Deliveries offered and not forgotten."""
        return len(self._known)

    @property
    def taken(self) -> int:
        """Deliveries that have slots: being claimed, claimed, or in flight."""
        return self._slots.taken

    @property
    def endpoints(self) -> int:
        """How many endpoints are remembered."""
        return len(self._queues)

    def open_breakers(self) -> int:
        """Endpoints that get no delivery, or a probe alone."""
        return sum(not queue.breaker.closed for queue in self._queues.values())

    def next_due(self) -> float | None:
        """When the next endpoint that waits for a time has its turn."""
        return self._turns.next_time

    def full(self) -> list[str]:
        """Endpoints of which nothing more should be loaded now: full, or held by their breaker."""
        return [
            endpoint_id
            for endpoint_id, queue in self._queues.items()
            if len(queue.waiting) >= self._policy.capacity or (queue.waiting and not queue.breaker.closed)
        ]

    def has_room_again(self) -> bool:
        """Whether a queue that overflowed has room again; asking clears it."""
        found, self._room_again = self._room_again, False
        return found

    def claimed_ahead(self) -> list[str]:
        """Endpoints with a delivery that is claimed and not started."""
        return [endpoint_id for endpoint_id, queue in self._queues.items() if queue.claimed]

    def held(self, endpoint_id: str) -> bool:
        """Whether the breaker is open: what is claimed must not be sent now."""
        queue = self._queues.get(endpoint_id)
        return queue is not None and queue.breaker.open_until is not None

    # The steps of a delivery.

    def offer(self, due: DueDelivery) -> bool:
        """Queue a delivery. False when it is known already, or its queue is full: then it stays in the database."""
        if due.delivery_id in self._known:
            return False
        queue = self._queue(due.endpoint_id)
        if len(queue.waiting) >= self._policy.capacity:
            queue.overflowed = True
            return False
        self._known.add(due.delivery_id)
        # What is asked for its endpoint, never quicker than any endpoint may be called.
        queue.interval = max(self._policy.interval, due.least_seconds or 0.0)
        queue.waiting.append(due)
        self._turns.ask(due.endpoint_id)
        return True

    def take(self, now: float, most: int) -> list[DueDelivery]:
        """At most ``most`` deliveries to claim now, one of each endpoint in turn."""
        self._turns.wake(now)
        found: list[DueDelivery] = []
        while self._turns and len(found) < most and not self._slots.all_taken:
            endpoint_id = self._turns.next()
            due = self._take_from(endpoint_id, now)
            if due is not None:
                found.append(due)
                self._turns.ask(endpoint_id)
        return found

    def _take_from(self, endpoint_id: str, now: float) -> DueDelivery | None:
        queue = self._queues.get(endpoint_id)
        if queue is None:
            return None
        if not queue.waiting:
            if queue.next_start_at <= now:
                self._forget_if_idle(endpoint_id, queue)
            return None
        due = queue.waiting[0]
        if not self._may_take(queue, due, now):
            return None
        queue.waiting.popleft()
        if queue.overflowed and len(queue.waiting) <= self._policy.capacity // 4:
            queue.overflowed = False
            self._room_again = True
        queue.breaker.taken()
        queue.next_start_at = now + queue.interval
        self._slots.take(queue.slots, due)
        return due

    def _may_take(self, queue: _EndpointQueue, due: DueDelivery, now: float) -> bool:
        """Whether the endpoint's next delivery may be claimed now; if not, what will bring its turn again is set."""
        if not self._slots.endpoint_has_room(queue.slots, due, probing=not queue.breaker.closed):
            return False
        if not queue.breaker.admits(now):
            if queue.breaker.open_until is not None:
                self._turns.ask_at(queue.breaker.open_until, due.endpoint_id)
            return False
        if now < queue.next_start_at:
            self._turns.ask_at(queue.next_start_at, due.endpoint_id)
            return False
        return not self._slots.must_wait(due)

    def claimed(self, due: DueDelivery, *, next_at: float = 0.0) -> None:
        """What was taken is claimed: it may start as soon as its endpoint has a slot.

        ``next_at``: when the endpoint's next one may be taken, by its rate over all replicas.
        """
        queue = self._queues[due.endpoint_id]
        queue.claimed.append(due)
        if next_at:
            self._not_before(queue, due, next_at)

    def early(self, due: DueDelivery, next_at: float) -> None:
        """What was taken may be taken at ``next_at`` alone, by its endpoint's rate: it waits, before the others."""
        queue = self._queues[due.endpoint_id]
        queue.breaker.put_back()
        queue.waiting.appendleft(due)
        self._not_before(queue, due, next_at)
        self._release(due, queue)

    def _not_before(self, queue: _EndpointQueue, due: DueDelivery, time: float) -> None:
        """Take no delivery of the endpoint before ``time``, and ask then."""
        queue.next_start_at = time
        self._turns.ask_at(time, due.endpoint_id)

    def start(self, endpoint_id: str) -> list[DueDelivery]:
        """The claimed deliveries of an endpoint whose requests may go out now."""
        queue = self._queues.get(endpoint_id)
        started: list[DueDelivery] = []
        while queue is not None and queue.claimed and self._slots.may_start(queue.slots):
            queue.slots.in_flight += 1
            started.append(queue.claimed.popleft())
        return started

    def recall(self, endpoint_id: str) -> list[DueDelivery]:
        """What is claimed and not started: its slots are free, and it waits again, before what came later."""
        queue = self._queues.get(endpoint_id)
        if queue is None or not queue.claimed:
            return []
        recalled = list(queue.claimed)
        queue.claimed.clear()
        queue.waiting.extendleft(reversed(recalled))
        for due in recalled:
            self._release(due, queue)
        return recalled

    def ended(self, due: DueDelivery, now: float, *, succeeded: bool, seconds: float) -> None:
        """A request ended: its slots are free. The delivery stays known until :meth:`forget`."""
        queue = self._queues[due.endpoint_id]
        queue.slots.in_flight -= 1
        # Nothing is claimed ahead that would start in a row, later, when its slot is free.
        queue.slots.answered(succeeded=succeeded and not queue.interval, seconds=seconds)
        if succeeded:
            queue.breaker.succeeded()
        else:
            queue.breaker.failed(now)
        self._release(due, queue)

    def abandoned(self, due: DueDelivery) -> None:
        """What was started is not sent after all (its lease is lost), which says nothing about the endpoint."""
        queue = self._queues[due.endpoint_id]
        queue.slots.in_flight -= 1
        queue.breaker.put_back()
        self._release(due, queue)

    def put_back(self, due: DueDelivery, *, known: bool = False) -> None:
        """What was taken cannot be claimed (not due, kept, somebody else's): its slots are free.

        ``known``: it must not be offered again before :meth:`forget`.
        """
        queue = self._queues[due.endpoint_id]
        queue.breaker.put_back()
        self._release(due, queue)
        if not known:
            self.forget(due.delivery_id)

    def forget(self, delivery_id: str) -> None:
        """The delivery may be offered again."""
        self._known.discard(delivery_id)

    # The queues themselves.

    def _release(self, due: DueDelivery, queue: _EndpointQueue) -> None:
        for endpoint_id in self._slots.release(queue.slots, due):
            self._turns.ask(endpoint_id)
        if queue.waiting:
            self._turns.ask(due.endpoint_id)
        elif not queue.interval:
            self._forget_if_idle(due.endpoint_id, queue)
        elif not queue.slots.taken:
            # Not before its next start would be allowed.
            self._turns.ask_at(queue.next_start_at, due.endpoint_id)

    def _forget_if_idle(self, endpoint_id: str, queue: _EndpointQueue) -> None:
        if not queue.waiting and not queue.slots.taken and queue.breaker.fresh:
            del self._queues[endpoint_id]

    def _queue(self, endpoint_id: str) -> _EndpointQueue:
        queue = self._queues.get(endpoint_id)
        if queue is None:
            if len(self._queues) >= _IDLE_QUEUES:
                self._queues = {
                    name: kept
                    for name, kept in self._queues.items()
                    if kept.waiting or kept.slots.taken or not kept.breaker.closed
                }
            queue = self._queues[endpoint_id] = _EndpointQueue(self._policy.breaker)
        return queue
