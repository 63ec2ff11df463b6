"""Keeps the clients' feeds: adds ends that a client's request just missed, and deletes what is too old."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from services.notifier.intake import feed_rows
from services.notifier.intake.job_locks import lock_jobs
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database

_LOOK_BACK: Final = timedelta(minutes=2)
"""Longer than any request's transaction lasts."""
_SLACK: Final = timedelta(seconds=5)
"""The clocks of replicas may differ by so much."""
_JOBS: Final = 500
_PURGE_BATCH: Final = 2_000
_PURGES: Final = 20
"""Batches in one round at most; the next round goes on."""

_log = logging.getLogger(__name__)


class FeedUpkeep:
    """A round every ``every`` seconds; events are kept for ``retention``, and looked through every ``purge_every``."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        retention: timedelta,
        every: float = 2.0,
        purge_every: timedelta = timedelta(hours=1),
    ) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._every = every
        self._purge_every = purge_every
        # Soon after the start, since a process may not live for an hour; replicas at different times.
        self._next_purge = clock() + purge_every * random.uniform(0, 0.1)  # noqa: S311

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        outage = Outage(
            _log,
            began="The database is away, the upkeep of the feeds waits",
            over="The database is back, the feeds are kept again",
            # Whatever is wrong with one row of a feed must not end the deliveries of everybody.
            failed="The upkeep of the feeds failed; trying again",
        )
        while not stop.is_set():
            with outage.of_try():
                await self.round()
            await wait_for_any(stop, within=self._every)

    async def round(self) -> None:
        """Add what is missing and delete what is too old. Raises InfrastructureAway."""
        await self._database.run(self._add_late)
        now = self._clock()
        if now >= self._next_purge and await self._purge(now - self._retention):
            self._next_purge = now + self._purge_every * random.uniform(0.9, 1.1)  # noqa: S311

    async def _purge(self, before: datetime) -> bool:
        """Delete what is older, as much as one round may; whether nothing is left."""
        for _ in range(_PURGES):
            if not await self._database.run(lambda connection: feed_rows.purge(connection, before, most=_PURGE_BATCH)):
                return True
        return False

    def _add_late(self, connection: Connection) -> None:
        """Add the events of jobs that ended while a client's request for their case was being committed."""
        now = self._clock()
        late = feed_rows.late_ends(connection, now - _LOOK_BACK, slack=_SLACK, most=_JOBS)
        if late:
            lock_jobs(connection, late)
            feed_rows.append(connection, late, now)
