"""The upkeep of plans: removes those of jobs that ended, and asks again for a window that nobody asks for."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from services.downloader.event_records import EventRecords
from services.downloader.planner.plan_rows import Stalled, find_stalled, forget_ended
from shared.db.engine import Database
from shared.errors import ProcessingError
from shared.kafka.producer import Producer

EVERY_SECONDS: Final = 30.0
STILL: Final = timedelta(minutes=2)
"""How long a job stands still, with everything requested of it ended, before its next window is asked for again."""
KEPT: Final = timedelta(days=14)
"""How long a plan is kept: as long as the topics keep the requests."""

_log = logging.getLogger(__name__)


class PlanUpkeep:
    """Every worker does it; two at once do no harm."""

    def __init__(
        self, database: Database, producer: Producer, event_records: EventRecords, *, still: timedelta = STILL
    ) -> None:
        self._database = database
        self._producer = producer
        self._event_records = event_records
        self._still = still

    async def run(self) -> None:
        """Run until cancelled. When a server is away the next round tries again."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.once()
            except ProcessingError as error:
                _log.info(
                    "The database is away, the clean-up of plans is postponed", extra={"error": type(error).__name__}
                )

    async def once(self) -> int:
        """Ask again for the windows that nobody asks for, and forget the plans of jobs that have ended; how many were
        asked for.

        A window asked for twice is released once, so two workers that find the same plan do no harm. Raises
        InfrastructureAway.
        """

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
                [self._event_records.resumed(plan.job_id, plan.process_number, plan.plan_id, plan.after, None)]
            )
        return len(stalled)
