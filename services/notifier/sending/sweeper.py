"""The sweeper: finds what is due and was not woken, or whose holder died, by an indexed query every second or so.

The retry topics are the clock; this is what makes losing the clock (a broker away, a topic deleted, a kill between
two lines) cost a second and no delivery. It also deletes attempts older than their retention.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.notifier.intake import rows as intake_store
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import claims
from services.notifier.sending.dispatcher import Dispatcher
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_BATCH: Final = 500
_EACH: Final = 300
"""Of one endpoint: a little more than its lane takes in."""
_PASSES: Final = 20
_PURGE_EVERY: Final = timedelta(minutes=1)
_PURGE_BATCH: Final = 5_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """``every`` seconds; ``grace`` (seconds) is left to the regular wake-up; attempts are kept for ``retention``."""

    every: float = 1.0
    grace: float = 1.0
    retention: timedelta = timedelta(days=90)


class Sweeper:
    """Offers to the dispatcher what the database says is due."""

    def __init__(
        self,
        *,
        database: Database,
        dispatcher: Dispatcher,
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
        """Sweep at once, then every while, and at once when a lane has room again; until ``stop``."""
        away = False
        while not stop.is_set():
            try:
                await self.sweep()
                await self._purge()
                away = False
            except InfrastructureAway:
                if not away:
                    _log.warning("the database is away, sweeping again when it is back")
                away = True
            await self._pause(stop)

    async def _pause(self, stop: asyncio.Event) -> None:
        hungry = self._dispatcher.on_hungry
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(hungry.wait())]
        try:
            await asyncio.wait(waits, timeout=self._policy.every, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        hungry.clear()

    async def sweep(self) -> int:
        """Offer what is due now; how many the dispatcher took. Raises InfrastructureAway."""
        taken = 0
        grace = timedelta(seconds=self._policy.grace)
        for _ in range(_PASSES):
            full = self._dispatcher.full()
            tickets = await self._database.run(
                lambda connection, full=full: claims.due(  # type: ignore[misc]
                    connection, self._clock(), grace=grace, full=full, each=_EACH, most=_BATCH
                )
            )
            new = self._dispatcher.offer(tickets)
            taken += new
            # A full page with nothing new in it: its lanes are full now, and what lies behind it has room.
            if len(tickets) < _BATCH or (new == 0 and set(self._dispatcher.full()) == set(full)):
                break
        if taken:
            self._metrics.swept.inc(taken)
        return taken

    async def _purge(self) -> None:
        now = self._clock()
        if self._next_purge is not None and now < self._next_purge:
            return
        before = now - self._policy.retention
        deleted = await self._database.run(lambda connection: intake_store.purge(connection, before, most=_PURGE_BATCH))
        # A full batch: there is more to delete, so it goes on with the next sweep.
        self._next_purge = None if deleted == _PURGE_BATCH else now + _PURGE_EVERY
