"""Reads cases at the source: within a deadline, one read at a time for each case, with one of five results."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from services.api.access.rate_limit import RateLimited
from services.api.http.waits import waiting_for_others
from services.api.metrics import ApiMetrics
from shared.clock import Clock
from shared.concurrency.single_flight import SingleFlight
from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber
from sources.changes import TellsChanges, UnchangedCase, read_changed
from sources.errors import NoAccess, ProcessNotFound, SourceError

_KEEP_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseFound:
    """The case, when it was read, and the source's version of it where it gives one."""

    case: Case
    fetched_at: datetime
    version: str | None


@dataclass(frozen=True)
class CaseUnchanged:
    """The source still has the ``version`` that is stored: the case was not read."""

    number: ProcessNumber
    fetched_at: datetime
    version: str


@dataclass(frozen=True)
class CaseMissing:
    """The source does not know the case."""


@dataclass(frozen=True)
class CaseForbidden:
    """The source knows the case, but not for us."""


@dataclass(frozen=True)
class CaseUnread:
    """The case could not be read now; ``code`` says why."""

    code: str


SourceAnswer = CaseFound | CaseUnchanged | CaseMissing | CaseForbidden | CaseUnread

_RESULTS: Final[dict[type[SourceAnswer], str]] = {
    CaseFound: "found",
    CaseUnchanged: "unchanged",
    CaseMissing: "missing",
    CaseForbidden: "forbidden",
    CaseUnread: "away",
}
"""The values of the label ``result`` of ``autos_api_source_reads``."""


@dataclass(frozen=True)
class SourceRead:
    """The result of a read, and the client that began it and was charged for it."""

    reading: SourceAnswer
    client_id: str


class _Wanted(NamedTuple):
    number: ProcessNumber
    stored: str | None


class SourceReader:
    """Reads cases for the requests of this process, one reading for all who ask for a case at once.

    What goes wrong at the source is a result, not an exception. A reading has AUTOS_SOURCE_DEADLINE_SECONDS.
    """

    def __init__(self, source: TellsChanges, clock: Clock, deadline_seconds: float, metrics: ApiMetrics) -> None:
        self._source = source
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._metrics = metrics
        # A burst of first requests for a case is one read, which also serves those that come just after it.
        self._flights: SingleFlight[_Wanted, SourceRead] = SingleFlight(_nobody, keep_seconds=_KEEP_SECONDS)

    async def read(
        self,
        number: ProcessNumber,
        client_id: str,
        charge: Callable[[], Awaitable[None]],
        *,
        again: bool = False,
        stored: str | None = None,
    ) -> SourceRead:
        """The case, read now or by a request of the same moment; ``again``: not by one that has ended already.

        ``stored`` is the source's version of what is stored: when the source still has it, the case is not read.
        ``charge`` is called first when this request is the one that reads; what it raises is raised.
        """
        wanted = _Wanted(number, stored)
        while True:
            is_mine = False

            async def begin() -> SourceRead:
                nonlocal is_mine
                is_mine = True
                await charge()
                return SourceRead(await self._read(wanted), client_id)

            try:
                with waiting_for_others():
                    return await self._flights.get(wanted, again=again, work=begin)
            except RateLimited:
                if is_mine:
                    raise
                # Another client began the read and its limit refused it: this one tries by itself.

    async def aclose(self) -> None:
        """End what is being read."""
        await self._flights.aclose()

    async def _read(self, wanted: _Wanted) -> SourceAnswer:
        began = time.perf_counter()
        reading = await self._try(wanted)
        self._metrics.source_seconds.observe(time.perf_counter() - began)
        self._metrics.source_reads.labels(_RESULTS[type(reading)]).inc()
        return reading

    async def _try(self, wanted: _Wanted) -> SourceAnswer:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                reading = await read_changed(
                    self._source,
                    wanted.number,
                    wanted.stored,
                    seconds=self._deadline_seconds,
                )
        except ProcessNotFound:
            return CaseMissing()
        except NoAccess:
            return CaseForbidden()
        except SourceError as error:
            return self._away(error.code)
        except TimeoutError:
            return self._away("deadline")
        if isinstance(reading, UnchangedCase):
            return CaseUnchanged(wanted.number, self._clock(), reading.version)
        return CaseFound(reading.case, self._clock(), reading.version)

    def _away(self, code: str) -> CaseUnread:
        _log.info(
            "A case could not be read at the source; what is stored is shown, or a job reads it later",
            extra={"code": code},
        )
        return CaseUnread(code)


async def _nobody(wanted: _Wanted) -> SourceRead:
    raise AssertionError(wanted)
