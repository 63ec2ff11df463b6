"""Reports how a source stands and did: every few seconds, in one small transaction, away from the documents' path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from services.downloader.source_share import status_rows
from services.downloader.source_share.request_counts import RequestCounts
from services.downloader.source_share.worker_rows import row_id
from shared.concurrency.outage import Outage
from shared.db.engine import Database
from shared.domain.source_state import SourceFinding
from shared.errors import InfrastructureAway

EVERY_SECONDS: Final = 3.0
_PRUNE_EVERY: Final = 1200
"""Rounds: an hour."""

_log = logging.getLogger(__name__)


class StatusReport:
    """One for each worker and source. What was counted since the last round is lost when the process is killed."""

    def __init__(
        self,
        database: Database,
        worker_id: str,
        source: str,
        counts: RequestCounts,
        look: Callable[[], SourceFinding],
    ) -> None:
        self._database = database
        self._row_id = row_id(worker_id, source)
        self._source = source
        self._counts = counts
        self._look = look
        self._rounds = 0
        self._outage = Outage(
            _log,
            began="The status of the source cannot be written, it is kept until the database is back",
            over="The status of the source is written again",
        )

    async def run(self) -> None:
        """Run until cancelled, then write what was counted."""
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                await self._try()
        finally:
            await self._try()

    async def once(self) -> None:
        """One round: how the source stands and what was counted, in one transaction; now and then what is too old is
        removed.

        Raises InfrastructureAway; the counts are then kept for the next round.
        """
        counts, finding = self._counts.take(), self._look()
        due = self._rounds % _PRUNE_EVERY == 0
        self._rounds += 1

        def write(connection: Connection) -> None:
            status_rows.report(connection, self._row_id, self._source, finding)
            status_rows.add(connection, self._source, counts)
            if due:
                status_rows.prune(connection)

        try:
            await self._database.run(write)
        except InfrastructureAway:
            self._counts.give_back(counts)
            raise

    async def _try(self) -> None:
        with self._outage.of_try():
            await self.once()
