"""Watches whether the source forbids everything, together with the other workers, and alerts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from services.downloader.source_share.forbidden_source import ForbiddenSource
from services.downloader.source_share.worker_rows import row_id
from shared.db import source_forbidden
from shared.db.engine import Database
from shared.domain.case import PDPJ
from shared.errors import InfrastructureAway
from sources.errors import SourceError

EVERY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Alarm(Protocol):
    """Sends alerts, at its own interval."""

    def refused(self) -> None:
        """The source refuses us, once more. Returns at once."""


class ForbiddenWatch:
    """One for each worker and source. ``seconds`` of nothing but a firewall's 403 are the source's state."""

    def __init__(
        self,
        database: Database,
        worker_id: str,
        alarm: Alarm,
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
        self._state = ForbiddenSource(seconds)
        self._forbidding = False

    def request_ended(self, case: str, error: SourceError | None) -> None:
        """Take note of how a request about ``case`` ended. From the event loop."""
        self._state.record(case, error, self._clock())

    @property
    def since(self) -> float | None:
        """Since when the source forbids this worker everything; None while it does not."""
        return self._state.since

    async def run(self) -> None:
        """Run until cancelled. When the database is away the next round tries again."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.once()
            except InfrastructureAway as error:
                _log.info(
                    "Whether the source forbids everything could not be written", extra={"error": type(error).__name__}
                )

    async def once(self) -> None:
        """One round: tell the others what this worker saw, and learn what they did. Raises InfrastructureAway."""
        state, identity, source = self._state, self._row_id, self._source
        elsewhere = await self._database.run(
            lambda connection: source_forbidden.answered_elsewhere(connection, identity, source)
        )
        now = self._clock()
        if elsewhere is not None:
            state.answered(now - elsewhere)
        self._note(state.since)
        forbidden_for = None if state.since is None else now - state.since
        answered_ago = None if state.answered_at is None else now - state.answered_at
        await self._database.run(
            lambda connection: source_forbidden.write(
                connection, identity, forbidden_for=forbidden_for, answered_ago=answered_ago
            )
        )

    def _note(self, since: float | None) -> None:
        if since is not None:
            self._alarm.refused()
            if not self._forbidding:
                _log.error(
                    "A firewall before the source forbids everything, documents wait", extra={"source": self._source}
                )
        elif self._forbidding:
            _log.info("The source answers again", extra={"source": self._source})
        self._forbidding = since is not None
