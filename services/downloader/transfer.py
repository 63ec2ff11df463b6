"""One document from the source into the object store: read through the gate, checked, then stored whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from services.downloader.metrics import DownloaderMetrics
from services.downloader.shelf import Shelf
from services.downloader.spool import Spool
from shared.events.document_requested import DocumentRequested
from shared.pdpj.client import CourtSource
from shared.pdpj.limiter import SourceGate


@dataclass(frozen=True, slots=True)
class Transferred:
    """A document that is in the store. ``size`` is bytes, ``sha256`` lower-case hexadecimal."""

    sha256: str
    size: int
    content_type: str


class Transfer:
    """Memory is bounded by what is done at once, not by the size of a document: see Spool and Shelf."""

    def __init__(
        self,
        source: CourtSource,
        gate: SourceGate,
        shelf: Shelf,
        *,
        spool_dir: Path,
        metrics: DownloaderMetrics,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._gate = gate
        self._shelf = shelf
        self._spool_dir = spool_dir
        self._metrics = metrics
        self._clock = clock
        self.given = 0
        """Documents that the source has given so far, whole."""

    async def run(self, request: DocumentRequested, started: Callable[[], None]) -> Transferred:
        """``started`` is called when the source is about to be asked.

        Raises SourceError, and InfrastructureAway when the store or the disk is away. Nothing is stored then.
        """
        await self._shelf.ready(request.object_key)
        with Spool(self._spool_dir) as spool:
            return await self._through(spool, request, started)

    async def _through(self, spool: Spool, request: DocumentRequested, started: Callable[[], None]) -> Transferred:
        content_type = await self._read(spool, request, started)
        content = await spool.finish()
        self.given += 1
        stored = Transferred(spool.sha256, spool.size, content_type)
        begun = self._clock()
        await self._shelf.put(
            request, content, size=stored.size, sha256=stored.sha256, content_type=stored.content_type
        )
        self._metrics.store_seconds.observe(self._clock() - begun)
        self._metrics.bytes.inc(stored.size)
        return stored

    async def _read(self, spool: Spool, request: DocumentRequested, started: Callable[[], None]) -> str:
        """The document into the spool; its content type. Length and shape are checked by the stream."""
        async with self._gate.slot() as slot:
            started()
            begun = self._clock()
            async with self._source.open_document(request.source_path) as stream:
                slot.answered()
                async for piece in stream.aiter_bytes():
                    await spool.write(piece)
            self._metrics.fetch_seconds.observe(self._clock() - begun)
            return stream.content_type
