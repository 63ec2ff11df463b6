"""Reads a case from the source for the planner, and stores what was read in the catalog."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import Connection

from services.downloader.source_share.connected_sources import ConnectedSources
from shared.clock import Clock
from shared.db.case_store import confirm_case, find_process, find_version, lock_case, store_case
from shared.db.deletions import find_deleted_jobs
from shared.db.engine import Database
from shared.db.visibility import is_for_nobody
from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber, parse
from shared.domain.secrecy import is_public_case
from sources.base import CourtSource
from sources.changes import FreshCase, UnchangedCase, read_changed
from sources.errors import ProcessNotFound, SourceTimeout, SourceUnavailable
from sources.gate.outage_evidence import FailureCause
from sources.gate.requests import SourceCaller
from sources.gate.slot import Slot

_MARGIN: Final = 0.95
"""A little less than the whole: the reading's own end comes before the end of all."""


class CaseFails(Exception):
    """Raised when the source was not there for this case, and was for others: it costs an attempt."""

    def __init__(self, error: SourceUnavailable) -> None:
        super().__init__(error.code)
        self.error = error


class CaseDeleted(Exception):
    """Raised when the case of the job that asks was deleted meanwhile: nothing of it is stored."""


class Discovery:
    """``timeout`` is seconds for one reading, the wait for a place at the gate included."""

    def __init__(self, sources: ConnectedSources, database: Database, *, timeout: float, clock: Clock) -> None:
        self._sources = sources
        self._database = database
        self._timeout = timeout
        self._clock = clock

    async def run(self, process_number: str, job_id: str, *, again: bool = False) -> None:
        """Read and store the case, unless the source has nothing newer than what is stored. Commits.

        A case that turns out to be sealed, and that only clients asked for who may not see it, is as one that the
        source does not know: it is not stored, and nothing of it is downloaded.

        ``again``: the source was not there for it before.

        Raises:
            SourceError: what the source says of the case, or that it is away; a closed gate is not waited for.
            CaseFails: the source was not there for this case, and was for others; it costs an attempt.
            CaseDeleted: the case was deleted while it was read.
            InfrastructureAway: the database is away.
        """
        self._turn_back_while_away(process_number)
        known = await self._database.autocommit(lambda connection: find_version(connection, process_number))
        reading = await self._read(process_number, known, again)
        fetched_at = self._clock()

        def store(connection: Connection) -> bool:
            # api may be storing the same case: one at a time, so that the rows of the two do not lock each other out.
            lock_case(connection, process_number)
            if find_deleted_jobs(connection, [job_id]):
                raise CaseDeleted
            stored = find_process(connection, process_number)
            level = stored.secrecy_level if stored is not None else None
            hidden = is_for_nobody(connection, process_number)
            match reading:
                case UnchangedCase(version):
                    confirm_case(connection, process_number, version, fetched_at=fetched_at)
                case FreshCase(case, version):
                    level = case.secrecy_level
                    may_be_kept = stored is not None or not hidden or is_public_case(level)
                    # What api has read since is newer.
                    if may_be_kept and (stored is None or stored.fetched_at < fetched_at):
                        store_case(connection, case, fetched_at=fetched_at, source_version=version)
            return not hidden or is_public_case(level)

        if not await self._database.run(store):
            raise ProcessNotFound

    def _turn_back_while_away(self, process_number: str) -> None:
        """At a closed gate a document waits in the queue, but a discovery goes back to the retry topics.

        The line is the planner's as well, and behind it are jobs that need no source at all.
        """
        gate = self._sources.for_case(process_number).gate
        if not gate.may_ask(process_number):
            paused_for = gate.snapshot().paused_for
            raise SourceUnavailable("the source is not asked at the moment", paused_for or None)

    async def _read(self, process_number: str, stored: str | None, again: bool) -> FreshCase | UnchangedCase:
        """One reading within the time-out, which the wait for a place at the gate is part of.

        Raises CaseFails when the gate judges that the source fails for this case and not for others; SourceUnavailable
        when the source is out, or when the reading had no turn or too little time to say anything of the case; and what
        the source says of the case, as it is.
        """
        connected = self._sources.for_case(process_number)
        slot: Slot | None = None
        caller = SourceCaller(process_number, again=again, about_case=True)
        try:
            async with asyncio.timeout(self._timeout), connected.gate.slot(caller) as slot:
                return await self._ask(connected.source, slot, parse(process_number), stored)
        except TimeoutError:
            error: SourceUnavailable = SourceTimeout()
        except SourceUnavailable as raised:
            error = raised
        if slot is None or slot.failure is None or slot.read_timeout is not None:
            raise error  # it had no turn, or too little time to say anything of the case
        if await connected.gate.judge(slot.failure) is FailureCause.OUTAGE:
            raise error
        raise CaseFails(error)

    async def _ask(
        self, source: CourtSource, slot: Slot, number: ProcessNumber, stored: str | None
    ) -> FreshCase | UnchangedCase:
        seconds = self._timeout * _MARGIN
        # Inside the slot, so that the gate hears of a source that hangs.
        try:
            async with asyncio.timeout(seconds):
                reading = await read_changed(
                    _WithReadTimeout(source, slot.read_timeout), number, stored, seconds=self._timeout
                )
        except TimeoutError:
            raise SourceTimeout from None
        slot.answered()
        return reading


class _WithReadTimeout:
    """The source, with a read time-out for each piece of an answer."""

    def __init__(self, source: CourtSource, read_timeout: float | None) -> None:
        self._source = source
        self._read_timeout = read_timeout

    async def fetch_case(self, number: ProcessNumber) -> Case:
        return await self._source.fetch_case(number, read_timeout=self._read_timeout)

    async def last_update(self, number: ProcessNumber, *, within: float | None = None) -> str | None:
        return await self._source.last_update(number, within=within)
