"""Every source there is, by its name, and which of them a case is read from. A further source is one entry here.

A source is known outside of its own package by its entry alone: services import this module, ``sources.base``,
``sources.changes``, ``sources.errors``, ``sources.settings``, ``sources.gate`` and ``sources.content``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.case import PDPJ, Case
from shared.settings import WrongSettings
from sources.base import CourtSource, OpenDocument, SourceContext
from sources.content.judgement import UNLISTED, Listed
from sources.pdpj.connect import connect as connect_pdpj
from sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """How to connect to a source, and its address, which operators are shown."""

    connect: Callable[[SourceSettings, SourceContext], CourtSource]
    address: Callable[[SourceSettings], str]


class SourceRegistry:
    """Sources by name. Without a setting every case is PDPJ's. Immutable; tests add a source by ``with_source``."""

    def __init__(self, entries: Mapping[str, SourceEntry]) -> None:
        self._entries = dict(entries)

    def with_source(self, name: str, entry: SourceEntry) -> SourceRegistry:
        """A registry with one more source."""
        return SourceRegistry({**self._entries, name: entry})

    def in_use(self, settings: SourceSettings) -> tuple[str, ...]:
        """The names of the sources that the settings read from. Raises WrongSettings for one that is not registered."""
        names = tuple(dict.fromkeys([PDPJ, *settings.sources.values()]))
        for name in names:
            if name not in self._entries:
                raise WrongSettings(f"AUTOS_SOURCES: no source is called {name!r}; there is {', '.join(self._entries)}")
        return names

    def connect(self, name: str, settings: SourceSettings, context: SourceContext) -> CourtSource:
        """Connect to the source of this name; nothing is asked yet. The caller closes it. Raises KeyError for an
        unknown name.
        """
        source = self._entries[name].connect(settings, context)
        return source if name == PDPJ else _NamedSource(name, source)

    def address(self, name: str, settings: SourceSettings) -> str:
        """Where the source of this name is."""
        return self._entries[name].address(settings)

    def connect_all(self, settings: SourceSettings, context: SourceContext) -> SourceByCourt:
        """Connect to every source in use, behind one that asks the right one for each case. Raises WrongSettings.

        Without gates: for the api, which reads one case for a client that waits. The downloader connects to each by
        itself.
        """
        sources = {name: self.connect(name, settings, context) for name in self.in_use(settings)}
        return SourceByCourt(sources, Courts(settings.sources))


class Courts:
    """Which source a case is read from. Pure."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)

    def source_of(self, number: str) -> str:
        """The name of the source for a case number with its mask: the longest court that fits decides."""
        court = ".".join(number.split(".")[2:])
        while court:
            if (name := self._sources.get(court)) is not None:
                return name
            court = court.rpartition(".")[0]
        return PDPJ


class SourceByCourt:
    """Reads each case from the source of its court."""

    def __init__(self, sources: Mapping[str, CourtSource], courts: Courts) -> None:
        self._sources = dict(sources)
        self._courts = courts

    async def fetch_case(self, number: str) -> Case:
        """The case as its source has it now. Raises SourceError."""
        return await self._of(number).fetch_case(number)

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        """As :meth:`sources.base.CourtSource.last_update`."""
        return await self._of(number).last_update(number, within=within)

    async def aclose(self) -> None:
        """Close every source's connections."""
        async with AsyncExitStack() as closing:
            for source in self._sources.values():
                closing.push_async_callback(source.aclose)

    def _of(self, number: str) -> CourtSource:
        return self._sources[self._courts.source_of(number)]


class _NamedSource:
    """Puts a source's name on its cases and versions, so that two sources' are never taken for one another's.

    PDPJ's need none: cases were stored before there was another source, and its versions know its address.
    """

    def __init__(self, name: str, source: CourtSource) -> None:
        self._name = name
        self._source = source

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        return replace(await self._source.fetch_case(number, read_timeout=read_timeout), source=self._name)

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        version = await self._source.last_update(number, within=within)
        return None if version is None else f"{self._name} {version}"

    def open_document(
        self, source_path: str, listed: Listed = UNLISTED, *, read_timeout: float | None = None
    ) -> AbstractAsyncContextManager[OpenDocument]:
        return self._source.open_document(source_path, listed, read_timeout=read_timeout)

    async def aclose(self) -> None:
        await self._source.aclose()


SOURCES: Final = SourceRegistry(
    {PDPJ: SourceEntry(connect=connect_pdpj, address=lambda settings: settings.pdpj_base_url)}
)
