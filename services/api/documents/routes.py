"""The routes of document content: a link, the bytes through the API, and all of a case as one archive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from services.api.access.dependencies import Reader
from services.api.documents.filter import ArchiveFilter
from services.api.documents.manifest_service import Manifests
from services.api.documents.ranges import ByteRange, NotSatisfiable, parse_range
from services.api.documents.schemas import ManifestView, PreviewView
from services.api.documents.service import Documents, NoPreview
from services.api.http.answers import Json, matches, not_modified
from services.api.http.described_problems import described
from services.api.http.parameters import DocumentId, Number, SearchText
from services.api.http.problems import (
    DocumentGone,
    DocumentNotAvailable,
    DocumentNotFoundProblem,
    InvalidProcessNumberProblem,
    ProcessUnknown,
    RangeNotSatisfiable,
)
from services.api.http.timestamps import Since
from shared.clock import rfc3339
from shared.http.disposition import content_disposition

router = APIRouter(prefix="/processes", tags=["documents"])

# What comes has the document's own type, whatever that is; a client takes it as bytes.
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

_LINK = {
    "description": "The link: it needs no key, and works for an hour (five minutes to a sealed document)",
    "schema": {
        "type": "string",
        "format": "uri",
        "examples": ["https://s3.example/autos/processes/00000010320248260100/documents/1?X-Amz-Signature=0d1f"],
    },
}

Types = Annotated[
    list[SearchText] | None,
    Query(max_length=20, description="Only these types, by name or code; several by commas, or the parameter repeated"),
]


@router.get(
    "/{numero}/documents/{document_id}/content",
    response_class=Response,
    response_model=None,
    status_code=307,
    responses={
        307: {"description": "To a presigned link", "headers": {"Location": _LINK}},
        200: {"description": "The document (proxy=true)", "content": _BYTES},
        304: {"description": "Your copy is current (proxy=true and If-None-Match)"},
        206: {"description": "A part of the document (proxy=true and Range)", "content": _BYTES},
        **described(
            InvalidProcessNumberProblem,
            ProcessUnknown,
            DocumentNotFoundProblem,
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
    documents: Documents,
    proxy: Annotated[bool, Query(description="Stream it through the API instead of redirecting")] = False,
    range_: Annotated[str | None, Header(alias="Range", description="One range of bytes")] = None,
    if_range: Annotated[str | None, Header(description="The ETag that the range is of")] = None,
    if_none_match: Annotated[str | None, Header(description="The ETag of the copy you have (proxy=true)")] = None,
) -> Response:
    """Redirects to a link that works for an hour (a sealed document's: five minutes).

    `proxy=true` is for clients that cannot reach the object store.
    """
    sight, document = await documents.find(caller.viewer, numero, document_id)
    if not proxy:
        return Response(status_code=307, headers={"Location": await documents.link(numero, document, sight)})
    state = document.state
    assert state is not None
    tag, size = f'"{state.sha256}"', int(state.size)
    if matches(if_none_match, tag):
        return not_modified(tag)
    wanted = _range(range_, size) if if_range is None or if_range.strip() == tag else None
    content = await documents.content(numero, document, wanted)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(wanted.length if wanted is not None else size),
        "Content-Disposition": content_disposition(document.listed.name, state.content_type),
        "ETag": tag,
        "Cache-Control": "private, no-cache",
    }
    if wanted is not None:
        headers["Content-Range"] = wanted.content_range(size)
    content_type = state.content_type or "application/octet-stream"
    return StreamingResponse(content, 206 if wanted is not None else 200, headers, content_type)


@router.get(
    "/{numero}/documents/{document_id}/preview",
    response_model=None,
    responses={
        200: {"model": PreviewView, "description": "The link"},
        **described(
            InvalidProcessNumberProblem,
            ProcessUnknown,
            DocumentNotFoundProblem,
            DocumentNotAvailable,
            DocumentGone,
            NoPreview,
        ),
    },
    summary="A link to look at a document with",
)
async def get_preview(numero: Number, document_id: DocumentId, caller: Reader, documents: Documents) -> Response:
    """A browser shows what is behind this link and does not save it. It works for five minutes and has no name in it.

    Show it in a frame with `sandbox` unless it is a PDF, which browsers show in no such frame: a page of a court runs
    no script then.
    """
    _, document = await documents.find(caller.viewer, numero, document_id)
    preview = await documents.preview(numero, document)
    link = preview.link
    return Json({"url": link.url, "expires_at": rfc3339(link.expires_at), "content_type": preview.media_type})


@router.get(
    "/{numero}/documents.zip",
    response_class=Response,
    response_model=None,
    responses={
        200: {
            "description": "The archive",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **described(InvalidProcessNumberProblem, ProcessUnknown, DocumentGone),
    },
    summary="All available documents as one archive",
)
async def get_archive(
    numero: Number, caller: Reader, documents: Documents, request: Request, types: Types = None, since: Since = None
) -> Response:
    """Streamed while the object store is read, in the order of the case. `manifest.json` in it has each file's SHA-256,
    and is signed.

    With `types` and `since` only what both leave; the numbers that the names begin with are those of the whole case.
    """
    assert since is None or isinstance(since, datetime)  # Since has made it one
    wanted = ArchiveFilter.of(types or (), since)
    # For the access log (services/api/access_log).
    request.state.shown_documents, content = await documents.archive(caller.viewer, numero, wanted)
    return StreamingResponse(
        content,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{numero}.zip"'},
    )


@router.get(
    "/{numero}/manifest.json",
    response_model=None,
    responses={
        200: {"model": ManifestView, "description": "The manifest"},
        304: {"description": "Your copy is of the same state"},
        **described(InvalidProcessNumberProblem, ProcessUnknown),
    },
    summary="The signed manifest of a case",
)
async def get_manifest(
    numero: Number,
    caller: Reader,
    manifests: Manifests,
    types: Types = None,
    since: Since = None,
    if_none_match: Annotated[str | None, Header(description="The ETag of the copy you have")] = None,
) -> Response:
    """Every document of the case with its SHA-256 and what the source said with it, or why it is not there.

    `signature` is a detached JWS (EdDSA) over the canonical form (RFC 8785) of all other members, by a key of
    `/.well-known/webhook-keys.json`. `autos verify` checks files against it without a network.
    """
    assert since is None or isinstance(since, datetime)  # Since has made it one
    made = await manifests.make(caller.viewer, numero, ArchiveFilter.of(types or (), since), if_none_match)
    if made.content is None:
        return not_modified(made.tag)
    headers = {"ETag": made.tag, "Cache-Control": "private, no-cache"}
    return Response(made.content, headers=headers, media_type="application/json")


def _range(header: str | None, size: int) -> ByteRange | None:
    try:
        return parse_range(header, size)
    except NotSatisfiable:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"}) from None
