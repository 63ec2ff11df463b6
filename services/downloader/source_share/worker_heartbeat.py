"""The worker's heartbeat for a source: its share of it, the pauses of all workers, the jobs that were cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Connection

from services.downloader.cancellations import Cancellations
from services.downloader.metrics import DownloaderMetrics
from services.downloader.source_share.request_share import BEAT_SECONDS, share
from services.downloader.source_share.worker_rows import Heartbeat, leave, write_heartbeat, write_pause
from shared.concurrency.outage import Outage
from shared.db.engine import Database
from shared.domain.case import PDPJ
from shared.domain.source_state import DEAD_SECONDS
from shared.errors import InfrastructureAway
from sources.gate.breaker import BreakerState
from sources.gate.gate import SourceGate

_log = logging.getLogger(__name__)

_BREAKER = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """Requests at the source at once: ``total`` of all workers together, ``capacity`` of this one at most."""

    total: int
    capacity: int


class WorkerHeartbeat:
    """Keeps the gate's limit and pauses in step with the other workers' (docs/adr/0007-downloader.md)."""

    def __init__(
        self,
        worker_id: str,
        database: Database,
        gate: SourceGate,
        cancellations: Cancellations,
        limits: ShareLimits,
        *,
        metrics: DownloaderMetrics,
        source: str = PDPJ,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._worker_id = worker_id
        self._database = database
        self._gate = gate
        self._cancellations = cancellations
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._joined = self._last_beat = clock()
        self._counted = False
        self._live = 1
        self._pause_until = 0.0
        self._paused = asyncio.Event()
        self._outage = Outage(
            _log,
            began="The heartbeat cannot be written, this worker goes down to one request at the source",
            over="The heartbeat is written again",
        )

    def pause_others(self, seconds: float) -> None:
        """The source asked for a pause: this worker keeps it already, the others learn of it."""
        self._pause_until = max(self._pause_until, self._clock() + seconds)
        self._paused.set()

    async def join(self) -> None:
        """The first heartbeat, before anything is asked. A database that is not up yet is waited for."""
        while not await self.beat():
            await self._until_due()

    async def run(self) -> None:
        """Beat until cancelled, then remove the worker's row, so that the others take over its share at once."""
        try:
            while True:
                await self._until_due()
                await self.beat()
        finally:
            try:
                await self._database.run(lambda connection: leave(connection, self._worker_id, self._source))
            except InfrastructureAway:
                _log.info("The worker's row could not be removed; the others count it out after its last heartbeat")

    async def beat(self) -> bool:
        """One heartbeat; False when the database is away.

        Without a heartbeat for CUT_OFF_SECONDS this worker goes down to one request at the source: the others count it
        as dead soon after. Commits.
        """
        self._paused.clear()
        begun = self._clock()
        pause_until = self._pause_until
        pause = max(0.0, pause_until - begun)
        try:
            learned = await self._database.run(
                lambda connection: _beat(connection, self._worker_id, self._source, pause)
            )
            await self._cancellations.refresh()
        except InfrastructureAway:
            self._outage.began()
            self._apply()
            return False
        self._outage.is_over()
        if self._pause_until == pause_until:
            self._pause_until = 0.0
        if not self._counted or begun - self._last_beat >= DEAD_SECONDS:
            # New, or silent for so long that the others have counted it out.
            self._joined, self._counted = begun, True
        self._last_beat, self._live = begun, learned.live
        if learned.pause > 0:
            self._gate.pause(learned.pause)
        self._apply()
        return True

    async def _until_due(self) -> None:
        """Wait for the next heartbeat, which comes at once when the others must learn of a pause."""
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await self._paused.wait()
        except TimeoutError:
            return

    def _apply(self) -> None:
        now = self._clock()
        self._gate.limit = share(
            self._limits.total,
            self._live,
            capacity=self._limits.capacity,
            age=now - self._joined,
            silent=now - self._last_beat,
        )
        found = self._gate.snapshot()
        self._metrics.note_source(self._source, _BREAKER[found.breaker], found.limit)


def _beat(connection: Connection, worker_id: str, source: str, pause: float) -> Heartbeat:
    if pause > 0:
        write_pause(connection, pause, source)
    return write_heartbeat(connection, worker_id, source)
