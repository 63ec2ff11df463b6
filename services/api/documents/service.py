"""The content of documents: a link to one, its bytes, and the bytes of an archive of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from obstore.exceptions import BaseError
from obstore.store import S3Store
from sqlalchemy import Connection

from services.api.documents.archive import stream_archive
from services.api.documents.filter import ArchiveFilter
from services.api.documents.manifest_service import ManifestService
from services.api.documents.ranges import ByteRange
from services.api.http.problems import DocumentNotAvailable, DocumentNotFoundProblem, Problem, ServiceUnavailable
from services.api.http.provided import provided
from services.api.processes.view.case_parts import sight_for
from services.api.processes.view.link_cache import Link, LinkCache
from services.api.processes.view.objects import DocumentObjects, StoredObject, gone
from services.api.processes.view.repository import KnownDocument, documents_of
from shared.db.engine import Database
from shared.domain.secrecy import Sight, Viewer

_CHUNK_BYTES: Final = 256 * 1024


SHOWN_TYPES: Final = frozenset(
    {"application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/html", "text/plain"}
)
"""What a browser shows by itself."""


class NoPreview(Problem):
    """A browser shows no document of this type."""

    status, code, title = 404, "no_preview", "This document cannot be shown in a browser"


@dataclass(frozen=True)
class Preview:
    """A link to look at a document with, and its type without parameters."""

    link: Link
    media_type: str


class DocumentService:
    """The documents of the cases that a viewer sees. Every method raises ProcessUnknown for any other case."""

    def __init__(
        self,
        database: Database,
        links: LinkCache,
        store: S3Store,
        objects: DocumentObjects,
        manifests: ManifestService,
    ) -> None:
        self._database = database
        self._links = links
        self._store = store
        self._objects = objects
        self._manifests = manifests

    async def find(self, viewer: Viewer, process_number: str, document_id: str) -> tuple[Sight, KnownDocument]:
        """An available document, and what the viewer sees of its case.

        Raises DocumentNotFoundProblem and DocumentNotAvailable.
        """

        def read(connection: Connection) -> tuple[Sight, list[KnownDocument]]:
            sight = sight_for(connection, viewer, process_number)
            return sight, documents_of(connection, process_number, sight, document_id=document_id)

        sight, found = await self._database.snapshot(read)
        if not found:
            raise DocumentNotFoundProblem
        if not found[0].available:
            raise DocumentNotAvailable
        return sight, found[0]

    async def link(self, process_number: str, document: KnownDocument, sight: Sight) -> str:
        """A presigned link to an available document. Raises DocumentGone."""
        listed, state = document.listed, document.state
        assert state is not None
        if await self._objects.is_gone(document):
            raise gone(process_number, listed.document_id)
        sealed = sight.is_sealed(listed.secrecy_level)
        return self._links.get(state.object_key, listed.name, state.content_type, sealed=sealed).url

    async def preview(self, process_number: str, document: KnownDocument) -> Preview:
        """A link that a browser shows an available document with. Raises NoPreview and DocumentGone."""
        state = document.state
        assert state is not None
        media = (state.content_type or "").partition(";")[0].strip().lower()
        if media not in SHOWN_TYPES:
            raise NoPreview
        if await self._objects.is_gone(document):
            raise gone(process_number, document.listed.document_id)
        return Preview(self._links.preview(state.object_key, state.content_type), media)

    async def content(
        self, process_number: str, document: KnownDocument, wanted: ByteRange | None
    ) -> AsyncIterator[bytes]:
        """The bytes of an available document, or a range of them, in pieces, once the store has answered.

        What breaks while they are read ends the answer early: its Content-Length tells the client.

        Raises:
            DocumentGone: the store has no such object, or one of another size.
            ServiceUnavailable: the store is away.
        """
        state = document.state
        assert state is not None
        try:
            return await self._open(state.object_key, wanted, size=int(state.size))
        except ServiceUnavailable:
            if await self._objects.is_gone(document):
                raise gone(process_number, document.listed.document_id) from None
            raise

    async def archive(
        self, viewer: Viewer, process_number: str, wanted: ArchiveFilter
    ) -> tuple[int, AsyncIterator[bytes]]:
        """How many available documents of a case are wanted, and the bytes of a ZIP with them in the case's order.

        The store is asked for all of them before the first byte, and then read one after the other; memory does not
        grow with the case.

        Raises:
            DocumentGone: one of them is not in the store as it was stored.
            ServiceUnavailable: the store is away.
        """
        content = await self._manifests.archive(viewer, process_number, wanted)
        entries = content.entries
        await self._objects.refuse_gone(
            process_number, [StoredObject(entry.document_id, entry.key, entry.size) for entry in entries]
        )
        manifest = await self._manifests.sign(content)

        async def open_object(key: str) -> AsyncIterator[bytes]:
            async for chunk in await self._open(key, None):
                yield chunk

        return len(entries), stream_archive(entries, manifest, open_object, content.head.made_at)

    async def _open(self, key: str, wanted: ByteRange | None, *, size: int | None = None) -> AsyncIterator[bytes]:
        """The object's bytes, once the store has answered.

        Raises ServiceUnavailable when the store is away, and when the object has not ``size`` bytes: why that is so
        is asked apart (:meth:`DocumentObjects.is_gone`).
        """
        away = ServiceUnavailable("the object store is away, try again", headers={"Retry-After": "2"})
        try:
            options = {"range": (wanted.start, wanted.end)} if wanted is not None else {}
            result = await self._store.get_async(key, options=options)  # type: ignore[arg-type]
        except (BaseError, OSError) as error:
            raise away from error
        if size is not None and result.meta["size"] != size:
            raise away

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

        return chunks()


Documents = Annotated[DocumentService, Depends(provided(DocumentService))]
