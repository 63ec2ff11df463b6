"""Deletes rows of the access log that are too old. The api, which adds them, may not."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import timedelta
from typing import Final

from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.audit import purge_reads
from shared.db.engine import Database

_EVERY_SECONDS: Final = 600.0
_BATCH: Final = 5_000
_BATCHES: Final = 40
"""In one round at most: 200,000 rows every ten minutes, 29 million a day."""

_log = logging.getLogger(__name__)


class AccessLogUpkeep:
    """A round soon after the start, then one every ten minutes; rows are kept for ``retention``.

    Several replicas may do it at once: each batch is a transaction, and a row is deleted once.
    """

    def __init__(self, database: Database, clock: Clock, *, retention: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        outage = Outage(
            _log,
            began="The database is away, old rows of the access log stay for now",
            over="The database is back, old rows of the access log are deleted again",
            failed="Old rows of the access log could not be deleted, will try again",
        )
        # Replicas at different times.
        await wait_for_any(stop, within=_EVERY_SECONDS * random.uniform(0, 0.05))  # noqa: S311
        while not stop.is_set():
            with outage.of_try():
                await self.round()
            await wait_for_any(stop, within=_EVERY_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311

    async def round(self) -> int:
        """Delete what is too old, as much as one round may; how many rows. Raises InfrastructureAway."""
        before, deleted = self._clock() - self._retention, 0
        for _ in range(_BATCHES):
            found = await self._database.run(lambda connection: purge_reads(connection, before, most=_BATCH))
            deleted += found
            if found < _BATCH:
                break
        return deleted
