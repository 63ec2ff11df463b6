"""The routes of document content: a link, the bytes through the API, and all of a case as one archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response
from obstore.exceptions import BaseError
from obstore.store import S3Store
from sqlalchemy import Connection
from starlette.responses import StreamingResponse

from services.api.access.auth import Reader
from services.api.documents.archive import Entry, stream_archive
from services.api.documents.gone import gone, is_gone, refuse_gone
from services.api.documents.ranges import ByteRange, NotSatisfiable, parse_range
from services.api.http.answers import matches, not_modified
from services.api.http.parameters import DocumentId, Number
from services.api.http.problems import (
    DocumentGone,
    DocumentNotAvailable,
    DocumentNotFound,
    InvalidProcessNumber,
    ProcessUnknown,
    RangeNotSatisfiable,
    ServiceUnavailable,
    described,
)
from services.api.processes.view.reading import sight_for
from services.api.processes.view.repository import Document, documents_of
from services.api.resources import Parts, Resources
from shared.domain.secrecy import Sight
from shared.http.disposition import content_disposition

router = APIRouter(prefix="/processes", tags=["documents"])

_CHUNK_BYTES: Final = 256 * 1024

# Any type: the document's own.
_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


@router.get(
    "/{numero}/documents/{document_id}/content",
    response_class=Response,
    response_model=None,
    status_code=307,
    responses={
        307: {"description": "To a presigned link", "headers": {"Location": {"schema": {"type": "string"}}}},
        200: {"description": "The document (proxy=true)", "content": _BYTES},
        304: {"description": "Your copy is current (proxy=true and If-None-Match)"},
        206: {"description": "A part of the document (proxy=true and Range)", "content": _BYTES},
        **described(
            InvalidProcessNumber,
            ProcessUnknown,
            DocumentNotFound,
            DocumentNotAvailable,
            DocumentGone,
            RangeNotSatisfiable,
        ),
    },
    summary="A document's content",
)
async def get_content(
    numero: Number,
    document_id: DocumentId,
    caller: Reader,
    parts: Parts,
    proxy: Annotated[bool, Query(description="Stream it through the API instead of redirecting")] = False,
    range_: Annotated[str | None, Header(alias="Range", description="One range of bytes")] = None,
    if_range: Annotated[str | None, Header(description="The ETag that the range is of")] = None,
    if_none_match: Annotated[str | None, Header(description="The ETag of the copy you have (proxy=true)")] = None,
) -> Response:
    """Redirects to a link that works for an hour (a sealed document's: five minutes).

    `proxy=true` is for clients that cannot reach the object store.
    """

    def read(connection: Connection) -> tuple[Sight, list[Document]]:
        sight = sight_for(connection, caller.viewer, numero)
        return sight, documents_of(connection, numero, sight, document_id=document_id)

    sight, found = await parts.database.read(read)
    if not found:
        raise DocumentNotFound
    document = found[0]
    state = document.state
    if state is None or not document.available:
        raise DocumentNotAvailable
    if not proxy:
        if await is_gone(parts.objects, document):
            raise gone(numero, document_id)
        sealed = sight.is_sealed(document.listed.secrecy_level)
        link = parts.links.get(state.object_key, document.listed.name, state.content_type, sealed=sealed)
        return Response(status_code=307, headers={"Location": link.url})
    tag = f'"{state.sha256}"'
    if matches(if_none_match, tag):
        return not_modified(tag)
    return await _proxied(parts, numero, document, tag, range_, if_range)


async def _proxied(
    parts: Resources, number: str, document: Document, tag: str, range_: str | None, if_range: str | None
) -> Response:
    state = document.state
    assert state is not None
    size = int(state.size)
    wanted: ByteRange | None = None
    if if_range is None or if_range.strip() == tag:
        try:
            wanted = parse_range(range_, size)
        except NotSatisfiable:
            raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"}) from None
    try:
        content = await _open(parts.store, state.object_key, wanted, size=size)
    except ServiceUnavailable:
        if await is_gone(parts.objects, document):
            raise gone(number, document.listed.document_id) from None
        raise
    content_type = state.content_type or "application/octet-stream"
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(wanted.length if wanted is not None else size),
        "Content-Disposition": content_disposition(document.listed.name, state.content_type),
        "ETag": tag,
        "Cache-Control": "private, no-cache",
    }
    if wanted is not None:
        headers["Content-Range"] = wanted.content_range(size)
    return StreamingResponse(content, 206 if wanted is not None else 200, headers, content_type)


@router.get(
    "/{numero}/documents.zip",
    response_class=Response,
    response_model=None,
    responses={
        200: {
            "description": "The archive",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **described(InvalidProcessNumber, ProcessUnknown, DocumentGone),
    },
    summary="All available documents as one archive",
)
async def get_archive(numero: Number, caller: Reader, parts: Parts) -> Response:
    """Streamed while the object store is read. `manifest.json` in it has each file's SHA-256."""

    def read(connection: Connection) -> tuple[Sight, list[Document]]:
        sight = sight_for(connection, caller.viewer, numero)
        return sight, documents_of(connection, numero, sight, available_only=True)

    sight, documents = await parts.database.read(read)
    await refuse_gone(parts.objects, numero, documents)
    entries = [_entry(document, sight) for document in documents]

    async def open_object(key: str) -> AsyncIterator[bytes]:
        async for chunk in await _open(parts.store, key, None):
            yield chunk

    return StreamingResponse(
        stream_archive(numero, entries, open_object, parts.clock()),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{numero}.zip"'},
    )


def _entry(document: Document, sight: Sight) -> Entry:
    listed, state = document.listed, document.state
    assert state is not None
    return Entry(
        listed.document_id,
        state.object_key,
        listed.name,
        state.content_type,
        int(state.size),
        state.sha256,
        listed.sequence,
        listed.filed_at,
        sight.left_out.place(listed.position),
    )


async def _open(store: S3Store, key: str, wanted: ByteRange | None, *, size: int | None = None) -> AsyncIterator[bytes]:
    """The object's bytes, once the store has answered. Raises ServiceUnavailable when it has not ``size`` bytes, too:
    why that is so is asked apart (:func:`services.api.documents.gone.is_gone`).
    """
    away = ServiceUnavailable("the object store is away, try again", headers={"Retry-After": "2"})
    try:
        options = {"range": (wanted.start, wanted.end)} if wanted is not None else {}
        result = await store.get_async(key, options=options)  # type: ignore[arg-type]
    except (BaseError, OSError) as error:
        raise away from error
    if size is not None and result.meta["size"] != size:
        raise away

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
            yield bytes(chunk)

    return chunks()
