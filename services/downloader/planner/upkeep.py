"""The upkeep of plans that wait: removes those of jobs that ended, asks again for a window that nobody asks for."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from services.downloader.planner.plan_rows import Stalled, find_stalled, forget_ended
from services.downloader.records import Reports
from shared.db.engine import Database
from shared.errors import ProcessingError
from shared.kafka.producer import Producer

EVERY_SECONDS: Final = 30.0
STILL: Final = timedelta(minutes=2)
"""A job that has not moved for so long, although everything that was requested of it has ended, waits for nobody."""
KEPT: Final = timedelta(days=14)
"""As long as the topics keep the requests."""

_log = logging.getLogger(__name__)


class Upkeep:
    """Every worker does it; it hurts nobody when two do it at once."""

    def __init__(self, database: Database, producer: Producer, reports: Reports, *, still: timedelta = STILL) -> None:
        self._database = database
        self._producer = producer
        self._reports = reports
        self._still = still

    async def run(self) -> None:
        """Until cancelled. What is away now is there the next time."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.once()
            except ProcessingError as error:
                _log.info("upkeep of plans put off", extra={"error": type(error).__name__})

    async def once(self) -> int:
        """How many windows were asked for again. Raises InfrastructureAway."""

        def look(connection: Connection) -> list[Stalled]:
            forget_ended(connection, KEPT)
            return list(find_stalled(connection, self._still))

        stalled = await self._database.run(look)
        for plan in stalled:
            _log.warning(
                "The next documents of a job are asked for again: the record that should do it is lost",
                extra={"job_id": plan.job_id, "after_window": plan.after},
            )
            await self._producer.send(
                [self._reports.resumed(plan.job_id, plan.process_number, plan.plan_id, plan.after, None)]
            )
        return len(stalled)
