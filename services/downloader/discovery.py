"""Reads a case from the source for the planner, and stores what was read in the catalog."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection

from shared.clock import Clock
from shared.cnj import parse
from shared.db.case_store import lock_case, store_case
from shared.db.engine import Database
from shared.pdpj.breaker import BreakerState
from shared.pdpj.client import CourtSource
from shared.pdpj.errors import SourceError, SourceTimeout, SourceUnavailable
from shared.pdpj.limiter import SourceGate
from shared.pdpj.model import Case


class Discovery:
    """``timeout`` is seconds for one reading, the wait for a place at the gate included."""

    def __init__(
        self, source: CourtSource, gate: SourceGate, database: Database, *, timeout: float, clock: Clock
    ) -> None:
        self._source = source
        self._gate = gate
        self._database = database
        self._timeout = timeout
        self._clock = clock

    async def run(self, process_number: str) -> None:
        """Read and store the case. Raises SourceError, and InfrastructureAway when the database is away."""
        self._turn_back_while_away()
        version, case = await self._read(process_number)
        fetched_at = self._clock()

        def store(connection: Connection) -> None:
            # api may be storing the same case: one at a time, so that the rows of the two do not lock each other out.
            lock_case(connection, process_number)
            store_case(connection, case, fetched_at=fetched_at, source_version=version)

        await self._database.run(store)

    def _turn_back_while_away(self) -> None:
        """At a closed gate a document waits in line, but a discovery goes back to the retry topics.

        The line is the planner's as well, and behind it are jobs that need no source at all.
        """
        now = self._gate.snapshot()
        if now.breaker is BreakerState.OPEN or now.paused_for > 0:
            raise SourceUnavailable("the source is not asked at the moment", now.paused_for or None)

    async def _read(self, process_number: str) -> tuple[str | None, Case]:
        number = parse(process_number)
        try:
            async with asyncio.timeout(self._timeout), self._gate.slot() as slot:
                try:
                    async with asyncio.timeout(_margin(self._timeout)):
                        # Before the case: a change between the two is then read again, rather than missed.
                        version = await self._version(number)
                        case = await self._source.fetch_case(number)
                # Inside the slot, so that the gate hears of a source that hangs.
                except TimeoutError:
                    raise SourceTimeout from None
                slot.answered()
                return version, case
        except TimeoutError:
            raise SourceTimeout from None

    async def _version(self, number: str) -> str | None:
        try:
            return await self._source.last_update(number)
        except SourceError:
            # Only the answer about the case itself counts.
            return None


def _margin(timeout: float) -> float:
    """A little less than the whole: the reading's own end comes before the end of all."""
    return timeout * 0.95
