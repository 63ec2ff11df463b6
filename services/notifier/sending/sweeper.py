"""The sweeper: finds what is due and was not woken, or whose lease has expired, by an indexed query every second or so.

The retry topics wake deliveries on time. When a wake-up is lost (a broker away, a topic deleted, a kill between two
lines), the sweep makes the delivery a second late and loses none. It also deletes attempts older than their retention.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.notifier.domain.endpoint_queues import QUEUE_CAPACITY
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import claim_rows, record_rows
from services.notifier.sending.dispatcher import DeliveryDispatcher
from services.notifier.sending.start_rows import purge_starts
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database

_BATCH: Final = 500
_EACH: Final = QUEUE_CAPACITY + 44
"""Of one endpoint: a little more than its queue takes in, since some of them may be in it already."""
_PASSES: Final = 20
_PURGE_EVERY: Final = timedelta(minutes=1)
_PURGE_BATCH: Final = 5_000
_STARTS_KEPT: Final = timedelta(days=1)
"""How long an endpoint with a rate is remembered that is not called; longer than any interval between two starts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """Every ``every`` seconds; ``grace`` seconds are left to the wake-up; attempts are kept for ``retention``."""

    every: float = 1.0
    grace: float = 1.0
    retention: timedelta = timedelta(days=90)


class Sweeper:
    """Offers to the dispatcher what the database says is due."""

    def __init__(
        self,
        *,
        database: Database,
        dispatcher: DeliveryDispatcher,
        policy: SweepPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._next_purge: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep at once, then every ``every`` seconds, and at once when a queue has room again; until ``stop``."""
        outage = Outage(
            _log,
            began="The database is away, the sweep for due deliveries waits",
            over="The database is back, due deliveries are swept again",
        )
        while not stop.is_set():
            with outage.of_try():
                await self.sweep()
                await self._purge()
            await wait_for_any(stop, self._dispatcher.room_again, within=self._policy.every)
            self._dispatcher.room_again.clear()

    async def sweep(self) -> int:
        """Offer what is due now; how many the dispatcher took. Raises InfrastructureAway."""
        taken = 0
        grace = timedelta(seconds=self._policy.grace)
        for _ in range(_PASSES):
            full = self._dispatcher.full()
            found = await self._database.run(
                lambda connection, full=full: claim_rows.due(  # type: ignore[misc]
                    connection, self._clock(), grace=grace, full=full, each=_EACH, most=_BATCH
                )
            )
            new = self._dispatcher.offer(found)
            taken += new
            # A full page with nothing new in it: its queues are full now, and what lies behind it has room.
            if len(found) < _BATCH or (new == 0 and set(self._dispatcher.full()) == set(full)):
                break
        if taken:
            self._metrics.swept.inc(taken)
        return taken

    async def _purge(self) -> None:
        now = self._clock()
        if self._next_purge is not None and now < self._next_purge:
            return
        before = now - self._policy.retention
        deleted = await self._database.run(
            lambda connection: record_rows.purge_attempts(connection, before, most=_PURGE_BATCH)
        )
        idle = now - _STARTS_KEPT
        await self._database.run(lambda connection: purge_starts(connection, idle, most=_PURGE_BATCH))
        # A full batch: there is more to delete, so it goes on with the next sweep.
        self._next_purge = None if deleted == _PURGE_BATCH else now + _PURGE_EVERY
