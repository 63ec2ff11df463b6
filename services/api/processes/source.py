"""Reading a case at the source: with a deadline, one read in flight for each case, and four ways it can end."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.api.metrics import ApiMetrics
from services.api.single_flight import SingleFlight
from shared.clock import Clock
from shared.cnj import ProcessNumber
from shared.pdpj.errors import NoAccess, ProcessNotFound, SourceError
from shared.pdpj.model import Case

_KEEP_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class ReadsCases(Protocol):
    """What the api needs of the source (:class:`shared.pdpj.client.CourtSource`)."""

    async def fetch_case(self, number: ProcessNumber) -> Case:
        """The case as the source has it now. Raises SourceError."""


@dataclass(frozen=True)
class Found:
    """The case, and when it was read."""

    case: Case
    fetched_at: datetime


@dataclass(frozen=True)
class Missing:
    """The source does not know the case."""


@dataclass(frozen=True)
class Forbidden:
    """The source knows the case, but not for us."""


@dataclass(frozen=True)
class Away:
    """The source could not be read now; ``code`` says why."""

    code: str


Reading = Found | Missing | Forbidden | Away


class CaseReader:
    """Reads cases for the requests of this process. Never raises what the source did: it is told in the result."""

    def __init__(self, source: ReadsCases, clock: Clock, deadline_seconds: float, metrics: ApiMetrics) -> None:
        self._source = source
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._metrics = metrics
        # A burst of first requests for a case is one read, even those that come just after it.
        self._flights = SingleFlight(self._read, keep_seconds=_KEEP_SECONDS)

    async def read(self, number: ProcessNumber, *, again: bool = False) -> Reading:
        """The case, read now or by a request of the same moment; ``again``: not by one that has ended already."""
        return await self._flights.get(number, again=again)

    async def aclose(self) -> None:
        await self._flights.aclose()

    async def _read(self, number: ProcessNumber) -> Reading:
        began = time.perf_counter()
        reading = await self._try(number)
        self._metrics.source_seconds.observe(time.perf_counter() - began)
        self._metrics.source_reads.labels(type(reading).__name__.lower()).inc()
        return reading

    async def _try(self, number: ProcessNumber) -> Reading:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                case = await self._source.fetch_case(number)
        except ProcessNotFound:
            return Missing()
        except NoAccess:
            return Forbidden()
        except SourceError as error:
            return self._away(error.code)
        except TimeoutError:
            return self._away("deadline")
        return Found(case, self._clock())

    def _away(self, code: str) -> Away:
        _log.info("case could not be read at the source", extra={"code": code})
        return Away(code)
