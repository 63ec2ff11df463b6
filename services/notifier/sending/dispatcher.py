"""The life of a delivery, from top to bottom.

    offer     it is due, and waits in its endpoint's queue            domain/endpoint_queues.py
    claim     the database leases it to this process, in batches      claim.py
    prepare   its body, a lease that lasts, its signature             prepare.py
    call      the request to the receiver                             call.py
    record    the attempt, the next state and the events, in batches  record.py
    forget    it may be offered again

Between claim and record nothing is held but the lease: no transaction, no lock. Whatever is lost here (a kill, a
database that goes away) is found again by the sweeper, since the delivery's row says that it is due.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple

from services.notifier.domain.delivery import Effect
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_queues import EndpointQueues
from services.notifier.domain.endpoint_rate import ask_again
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.attempt import Attempt
from services.notifier.sending.call import ReceiverCall
from services.notifier.sending.claim import Claims
from services.notifier.sending.claimed import ClaimedDelivery
from services.notifier.sending.prepare import RequestPreparation
from services.notifier.sending.record import Recorder
from shared.errors import InfrastructureAway
from shared.webhooks.event_type import WebhookBody

_CLAIM_BATCH: Final = 64
_AWAY_SECONDS: Final = 0.5
_BROKEN_SECONDS: Final = 60.0
"""After which a delivery that could not be claimed may be offered again."""
_LAST_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class _Ready(NamedTuple):
    """A delivery that is claimed, with its body where that was rendered with the claim; ``start_at`` is monotonic."""

    claimed: ClaimedDelivery
    body: WebhookBody | None
    start_at: float


class DeliveryDispatcher:
    """Sends deliveries. One per process, on the event loop; database work and large bodies run in threads."""

    def __init__(
        self,
        *,
        queues: EndpointQueues,
        claims: Claims,
        preparation: RequestPreparation,
        call: ReceiverCall,
        recorder: Recorder,
        metrics: NotifierMetrics,
    ) -> None:
        self._queues = queues
        self._claims = claims
        self._preparation = preparation
        self._call = call
        self._recorder = recorder
        self._metrics = metrics
        # Claimed and not started.
        self._claimed: dict[str, _Ready] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._sends: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()
        self.room_again: asyncio.Event = asyncio.Event()
        """Set when a queue that overflowed has room: the sweeper should look at once."""
        self.alert_due: asyncio.Event = asyncio.Event()
        """Set when a delivery was given up or an endpoint disabled: an alert may be due."""

    # Offer: a delivery is due.

    def offer(self, deliveries: Sequence[DueDelivery]) -> int:
        """Queue deliveries that are due; how many were taken in. From the event loop; returns at once.

        Those refused (known already, or their endpoint's queue is full) stay in the database, where the sweeper finds
        them.
        """
        taken = sum(self._queues.offer(due) for due in deliveries)
        if taken:
            self._woken.set()
        return taken

    def full(self) -> list[str]:
        """Endpoints of which nothing more should be loaded now."""
        return self._queues.full()

    # The loop: claim what is next, start what is claimed.

    async def run(self) -> None:
        """Claim and send until :meth:`stop`."""
        while not self._stopping:
            self._woken.clear()
            next_ones = self._queues.take(time.monotonic(), _CLAIM_BATCH)
            if self._queues.has_room_again():
                self.room_again.set()
            if next_ones:
                await self._claim(next_ones)
            else:
                await self._wait_for_work()
        if self._releases:
            # Claims that were being made when the stop came; if their release takes long, the leases expire.
            await asyncio.wait(self._releases, timeout=_LAST_SECONDS)

    async def _wait_for_work(self) -> None:
        self._metrics.held.set(len(self._queues))
        self._metrics.breakers.set(self._queues.open_breakers())
        due = self._queues.next_due()
        try:
            async with asyncio.timeout(None if due is None else max(0.001, due - time.monotonic())):
                await self._woken.wait()
        except TimeoutError:
            return

    async def stop(self, deadline: float) -> None:
        """Claim nothing more, release what is not sent yet, let what is being sent end within ``deadline`` seconds.

        What is cut off then keeps its lease, and is sent again when that expires.
        """
        self._stopping = True
        self._woken.set()
        for endpoint_id in self._queues.claimed_ahead():
            self._release_claims(endpoint_id)
        under_way = self._sends | self._releases
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._preparation.close()

    # Claim: a lease for each, in one transaction.

    async def _claim(self, deliveries: list[DueDelivery]) -> None:
        try:
            result = await self._claims.claim(deliveries)
        except InfrastructureAway:
            for due in deliveries:
                self._queues.put_back(due)
            await asyncio.sleep(_AWAY_SECONDS)
            return
        for due in result.refused:
            self._queues.put_back(due)
        for due in result.broken:
            self._queues.put_back(due, known=True)
            asyncio.get_running_loop().call_later(_BROKEN_SECONDS, self._queues.forget, due.delivery_id)
        now = time.monotonic()
        for due, seconds in result.early:
            self._queues.early(due, now + seconds)
        for claimed, body in result.claimed:
            self._claimed[claimed.due.delivery_id] = _Ready(claimed, body, now + claimed.starts_in)
            self._queues.claimed(claimed.due, next_at=now + ask_again(claimed.next_in) if claimed.next_in else 0.0)
        for endpoint_id in {claimed.due.endpoint_id for claimed, _ in result.claimed}:
            self._start(endpoint_id)

    def _start(self, endpoint_id: str) -> None:
        """Start what is claimed of an endpoint, as far as it has slots."""
        if self._stopping or self._queues.held(endpoint_id):
            self._release_claims(endpoint_id)
            return
        for due in self._queues.start(endpoint_id):
            self._keep(self._sends, self._deliver(self._claimed.pop(due.delivery_id)))

    def _release_claims(self, endpoint_id: str) -> None:
        """Release what is claimed and not started: no attempt was made, and nobody has to wait for its lease."""
        if recalled := self._queues.recall(endpoint_id):
            claimed = [self._claimed.pop(due.delivery_id).claimed for due in recalled]
            self._keep(self._releases, self._claims.release(claimed))

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # Prepare, call, record: one delivery.

    async def _deliver(self, ready: _Ready) -> None:
        """Make the attempt, free its slots, record it."""
        claimed = ready.claimed
        if (early := ready.start_at - time.monotonic()) > 0:
            await asyncio.sleep(early)
        attempt = await self._attempt(claimed, ready.body)
        self._free_slots(claimed.due, attempt)
        try:
            if attempt is not None:
                await self._record(attempt)
        finally:
            self._queues.forget(claimed.due.delivery_id)

    async def _attempt(self, claimed: ClaimedDelivery, body: WebhookBody | None) -> Attempt | None:
        """Prepare and call; None when there was no attempt. The delivery then keeps its lease until that expires."""
        try:
            async with self._preparation.prepare(claimed, body) as request:
                return None if request is None else await self._call.make(request)
        except InfrastructureAway:
            _log.debug("The database is away, the attempt is repeated when its lease expires")
        # The edge of a task: one delivery's failure must not stop the others.
        except Exception:  # noqa: BLE001
            _log.exception(
                "Delivery attempt failed unexpectedly, it is repeated when its lease expires",
                extra={"delivery_id": claimed.due.delivery_id},
            )
        return None

    def _free_slots(self, due: DueDelivery, attempt: Attempt | None) -> None:
        """Let the next delivery of the endpoint start; it does not wait for the record."""
        if attempt is None:
            self._queues.abandoned(due)
        else:
            # A body that was too large says nothing against the receiver.
            succeeded = attempt.succeeded or attempt.shrinks
            self._queues.ended(due, time.monotonic(), succeeded=succeeded, seconds=attempt.duration_ms / 1000)
        self._start(due.endpoint_id)
        self._woken.set()

    async def _record(self, attempt: Attempt) -> None:
        recorded = await self._recorder.record(attempt)
        if recorded is None:
            return
        self._metrics.recorded(recorded.effect, recorded.state, recorded.seconds)
        if recorded.effect in {Effect.EXHAUSTED, Effect.GONE}:
            self.alert_due.set()
