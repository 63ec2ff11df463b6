"""Tells the other workers, the api and a person that the source forbids everything; hears what others were answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from services.downloader.source_share.forbidden import Forbidden
from services.downloader.source_share.worker_rows import row_id
from shared.db import source_forbidden
from shared.db.engine import Database
from shared.domain.case import PDPJ
from shared.errors import InfrastructureAway
from sources.errors import SourceError

EVERY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Rings(Protocol):
    """An alarm, which keeps its own interval."""

    def refused(self) -> None: ...


class ForbiddenWatch:
    """One for each worker and source. ``seconds`` of nothing but a firewall's 403 are the source's state."""

    def __init__(
        self,
        database: Database,
        worker_id: str,
        alarm: Rings,
        *,
        seconds: float,
        source: str = PDPJ,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._row_id = row_id(worker_id, source)
        self._source = source
        self._alarm = alarm
        self._clock = clock
        self._state = Forbidden(seconds)
        self._told = False

    def heard(self, case: str, error: SourceError | None) -> None:
        """A request about ``case`` ended. From the event loop."""
        self._state.hear(case, error, self._clock())

    async def run(self) -> None:
        """Until cancelled. A database that is away is told the next time."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.once()
            except InfrastructureAway as error:
                _log.info("what the source forbids was not written", extra={"error": type(error).__name__})

    async def once(self) -> None:
        """One round. Raises InfrastructureAway."""
        state, identity, source = self._state, self._row_id, self._source
        elsewhere = await self._database.run(
            lambda connection: source_forbidden.answered_elsewhere(connection, identity, source)
        )
        now = self._clock()
        if elsewhere is not None:
            state.answered(now - elsewhere)
        self._tell(state.since)
        forbidden_for = None if state.since is None else now - state.since
        answered_ago = None if state.answered_at is None else now - state.answered_at
        await self._database.run(
            lambda connection: source_forbidden.write(
                connection, identity, forbidden_for=forbidden_for, answered_ago=answered_ago
            )
        )

    def _tell(self, since: float | None) -> None:
        if since is not None:
            self._alarm.refused()
            if not self._told:
                _log.error(
                    "A firewall before the source forbids everything, documents wait", extra={"source": self._source}
                )
        elif self._told:
            _log.info("The source answers again", extra={"source": self._source})
        self._told = since is not None
