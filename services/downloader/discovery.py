"""Reads a case from the source for the planner, and stores what was read in the catalog."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection

from shared.clock import Clock
from shared.cnj import parse
from shared.db.case_store import confirm_case, find_process, find_version, lock_case, store_case
from shared.db.engine import Database
from shared.pdpj.breaker import BreakerState
from shared.pdpj.changes import FreshCase, UnchangedCase, read_changed
from shared.pdpj.client import CourtSource
from shared.pdpj.errors import SourceTimeout, SourceUnavailable
from shared.pdpj.limiter import SourceGate


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
        """Read and store the case, unless the source has nothing newer than what is stored.

        Raises SourceError, and InfrastructureAway when the database is away.
        """
        self._turn_back_while_away()
        known = await self._database.read(lambda connection: find_version(connection, process_number))
        reading = await self._read(process_number, known)
        fetched_at = self._clock()

        def store(connection: Connection) -> None:
            # api may be storing the same case: one at a time, so that the rows of the two do not lock each other out.
            lock_case(connection, process_number)
            match reading:
                case UnchangedCase(version):
                    confirm_case(connection, process_number, version, fetched_at=fetched_at)
                case FreshCase(case, version):
                    stored = find_process(connection, process_number)
                    # What api has read since is newer.
                    if stored is None or stored.fetched_at < fetched_at:
                        store_case(connection, case, fetched_at=fetched_at, source_version=version)

        await self._database.run(store)

    def _turn_back_while_away(self) -> None:
        """At a closed gate a document waits in line, but a discovery goes back to the retry topics.

        The line is the planner's as well, and behind it are jobs that need no source at all.
        """
        now = self._gate.snapshot()
        if now.breaker is BreakerState.OPEN or now.paused_for > 0:
            raise SourceUnavailable("the source is not asked at the moment", now.paused_for or None)

    async def _read(self, process_number: str, stored: str | None) -> FreshCase | UnchangedCase:
        number = parse(process_number)
        try:
            async with asyncio.timeout(self._timeout), self._gate.slot() as slot:
                try:
                    async with asyncio.timeout(_margin(self._timeout)):
                        reading = await read_changed(self._source, number, stored, seconds=self._timeout)
                # Inside the slot, so that the gate hears of a source that hangs.
                except TimeoutError:
                    raise SourceTimeout from None
                slot.answered()
                return reading
        except TimeoutError:
            raise SourceTimeout from None


def _margin(timeout: float) -> float:
    """A little less than the whole: the reading's own end comes before the end of all."""
    return timeout * 0.95
