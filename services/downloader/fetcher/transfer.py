"""One document from the source into the object store: read through the gate, checked, then stored whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from services.downloader.catalog_queries import ProjectedDocument
from services.downloader.event_records import StoredBytes
from services.downloader.fetcher.document_store import DocumentStore
from services.downloader.fetcher.duplicates import Duplicates
from services.downloader.fetcher.outage_waits import (
    AttemptTries,
    after_away,
    after_shortened_timeout,
    hit_shortened_timeout,
)
from services.downloader.fetcher.spool import Spool
from services.downloader.metrics import DownloaderMetrics
from services.downloader.source_share.connected_sources import ConnectedSource, ConnectedSources
from shared.clock import Clock, utc_now
from shared.domain.case import PDPJ
from shared.errors import InfrastructureAway
from shared.events.document_requested import DocumentRequested
from shared.storage.store import object_key
from sources.content.judgement import Listed
from sources.errors import Doubtful, SourceAway, SourceUnavailable
from sources.gate.gate import SourceGate
from sources.gate.slot import GateWait, Slot

_STORE_AWAY_SECONDS: Final = 0.5
"""How long the store counts as away after a look at it failed."""


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """``last``: there is no further attempt, so a doubtful document is kept.

    ``replaces`` is what is stored of an earlier listing; it stays where it is, for whoever has a link to it. ``source``
    is the name of the source that lists the document.
    """

    last: bool
    replaces: ProjectedDocument | None = None
    source: str = PDPJ


class Transfer:
    """Memory is bounded by what is done at once, not by the size of a document: see Spool and DocumentStore.

    ``stored_at_once``: documents that are stored at once; those being read are the gates' to count. ``run`` may be
    called for as many documents at once as there are handlers.
    """

    def __init__(
        self,
        sources: ConnectedSources,
        document_store: DocumentStore,
        duplicates: Duplicates,
        *,
        spool_dir: Path,
        metrics: DownloaderMetrics,
        stored_at_once: int,
        clock: Callable[[], float] = monotonic,
        wall_clock: Clock = utc_now,
    ) -> None:
        self._sources = sources
        self._document_store = document_store
        self._duplicates = duplicates
        self._spool_dir = spool_dir
        self._metrics = metrics
        self._clock = clock
        self._wall_clock = wall_clock
        self._storing = asyncio.Semaphore(stored_at_once)
        self._probing_store = asyncio.Lock()
        self._store_away_until = float("-inf")

    async def run(
        self, request: DocumentRequested, started: Callable[[], None], gate_wait: GateWait, options: TransferOptions
    ) -> StoredBytes:
        """Bring a document into the store; ``started`` is called when the source is about to be asked, perhaps several
        times.

        Asks again while the source is away, for as long as that takes; ``gate_wait`` can end the waiting.

        Raises:
            SourceError: the failure is about this document and costs an attempt; nothing is stored. Doubtful is one,
                while
            there is another attempt.
            InfrastructureAway: the store or the disk is away; a repeat overwrites what was stored.
            WaitEnded: ``gate_wait.leave`` was called.
        """
        connected = self._sources.named(options.source)
        tries = AttemptTries(again=request.last_error == SourceUnavailable.CODE)
        while True:
            await self._require_store(request)
            with Spool(self._spool_dir) as spool:
                try:
                    read = await self._through(connected, spool, request, started, tries, gate_wait)
                except _Away as away:
                    tries = await self._again(connected.gate, away, tries, gate_wait)
                    continue
                try:
                    if read.doubtful and not options.last:
                        raise Doubtful
                    with self._metrics.in_flight.track_inprogress():
                        return await self._store(spool, request, read, options)
                finally:
                    self._storing.release()

    async def _require_store(self, request: DocumentRequested) -> None:
        """Look at the store, once for all that wait. Raises InfrastructureAway."""
        async with self._probing_store:
            if self._clock() < self._store_away_until:
                raise InfrastructureAway("object store")
            try:
                await self._document_store.ready(request.object_key)
            except InfrastructureAway:
                self._store_away_until = self._clock() + _STORE_AWAY_SECONDS
                raise

    async def _again(self, gate: SourceGate, away: _Away, tries: AttemptTries, gate_wait: GateWait) -> AttemptTries:
        """Wait until the document may be asked for again. Raises SourceError when that costs an attempt, WaitEnded."""
        error, slot = away.error, away.slot
        if hit_shortened_timeout(error, slot.read_timeout):
            return after_shortened_timeout(tries)
        assert slot.failure is not None
        judgement = await gate.judge(slot.failure, gate_wait)
        wait = after_away(error, judgement, tries, documents=gate.documents)
        if wait is None:
            raise error
        self._metrics.holds.labels(error.code).inc()
        await gate_wait.sleep(wait.seconds)
        return wait.tries

    async def _through(
        self,
        connected: ConnectedSource,
        spool: Spool,
        request: DocumentRequested,
        started: Callable[[], None],
        tries: AttemptTries,
        gate_wait: GateWait,
    ) -> _Read:
        """The document into the spool. A place to store it is held afterwards, for the caller to let go of."""
        slot: Slot | None = None
        try:
            async with connected.gate.slot(tries.caller(request.process_number), gate_wait) as slot:
                started()
                with self._metrics.in_flight.track_inprogress():
                    read = await self._read(connected, spool, request, slot)
                # The place at the source is kept until there is one to store: what waits in memory has a bound.
                await self._storing.acquire()
                return read
        except SourceAway as error:
            assert slot is not None
            raise _Away(error, slot) from error

    async def _store(
        self, spool: Spool, request: DocumentRequested, read: _Read, options: TransferOptions
    ) -> StoredBytes:
        content, sha256 = await spool.finish(), spool.sha256
        begun = self._clock()
        # What is fetched because an object has the wrong bytes must not find just that one.
        key = None if request.refetch else await self._duplicates.find(request, sha256, spool.size)
        version = None
        if key is None:
            key = content_key(request, sha256, options.replaces)
            version = await self._document_store.put(
                request, content, key=key, size=spool.size, sha256=sha256, content_type=read.content_type
            )
            await self._duplicates.note(request, sha256, key)
        self._metrics.store_seconds.observe(self._clock() - begun)
        self._metrics.bytes.inc(spool.size)
        return StoredBytes(
            object_key=key,
            sha256=sha256,
            size=spool.size,
            content_type=read.content_type,
            warnings=read.warnings,
            revision=request.revision,
            fetched_at=read.fetched_at,
            source_headers=read.headers,
            object_version=version,
        )

    async def _read(self, connected: ConnectedSource, spool: Spool, request: DocumentRequested, slot: Slot) -> _Read:
        """The document into the spool. Length and shape are checked by the stream."""
        listed = Listed(request.listed_type, request.expected_size, request.rendition)
        begun = self._clock()
        async with connected.source.open_document(
            request.source_path, listed, read_timeout=slot.read_timeout
        ) as stream:
            slot.answered()
            async for piece in stream.aiter_bytes():
                await spool.write(piece)
        self._metrics.fetch_seconds.observe(self._clock() - begun)
        connected.control.remember(request.process_number, request.source_path)
        judgement = stream.judgement
        headers = tuple(stream.answer_headers)
        return _Read(stream.content_type, judgement.warnings, judgement.doubtful, self._wall_clock(), headers)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read into the spool, and what is odd about it."""

    content_type: str
    warnings: tuple[str, ...]
    doubtful: bool
    fetched_at: datetime
    headers: tuple[str, ...]


class _Away(Exception):
    """The source was not there for a request; ``slot`` has what the gate judges."""

    def __init__(self, error: SourceAway, slot: Slot) -> None:
        super().__init__(error.code)
        self.error = error
        self.slot = slot


def content_key(request: DocumentRequested, sha256: str, replaces: ProjectedDocument | None) -> str:
    """Where a document's bytes are stored (docs/adr/0018-documents-as-listed.md).

    Under its key at first. What takes the place of other bytes stands beside them, by its hash: whoever has a link to
    the old ones still reads those.
    """
    first = object_key(request.process_number, request.document_id)
    if replaces is None or replaces.object_key is None:
        return first
    return replaces.object_key if replaces.sha256 == sha256 else f"{first}.{sha256}"
