"""The routes of cases."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from services.api.access.auth import Caller, Downloader, Reader, require_webhooks
from services.api.documents.gone import is_gone
from services.api.http.answers import Json, matches, not_modified, tagged
from services.api.http.open_requests import PlacedStream, TooManyStreams, TooManyWaits
from services.api.http.parameters import DocumentId, Number, UrlText, WithDocuments
from services.api.http.problems import (
    CaseTooLarge,
    CaseUnreadable,
    DocumentNotFound,
    InsufficientScope,
    InvalidProcessNumber,
    InvalidWebhookUrl,
    NoAccess,
    ProcessNotFound,
    ProcessUnknown,
    RateLimited,
    SourceUnavailable,
    TooManyActiveJobs,
    Unauthorized,
    described,
)
from services.api.openapi import webhook_callback
from services.api.processes.request.decisions import Ask
from services.api.processes.view.reading import read_files, sight_for
from services.api.processes.view.repository import find_available
from services.api.processes.view.schemas import DownloadBody, FilesView, JobAnswer, ProcessView, StatusView
from services.api.processes.view.views import seen_by
from services.api.resources import Parts, Resources, Trace
from shared.domain.cnj import ProcessNumber
from shared.domain.secrecy import Viewer

router = APIRouter(prefix="/processes", tags=["processes"])

WebhookUrl = Annotated[
    UrlText | None,
    Query(description="Called once all documents are done, however that ends"),
]
IfNoneMatch = Annotated[str | None, Header(description="The ETag of the copy you have")]

_ASKED = described(
    InvalidProcessNumber,
    ProcessNotFound,
    NoAccess,
    RateLimited,
    TooManyActiveJobs,
    CaseTooLarge,
    CaseUnreadable,
    SourceUnavailable,
)
_WITH_URL = described(
    InvalidProcessNumber,
    InvalidWebhookUrl,
    ProcessNotFound,
    NoAccess,
    RateLimited,
    TooManyActiveJobs,
    CaseTooLarge,
    CaseUnreadable,
    SourceUnavailable,
)
_KNOWN = described(InvalidProcessNumber, ProcessUnknown)


@router.get(
    "/{numero}",
    response_model=None,
    responses={
        200: {"model": ProcessView, "description": "The case as it is known now"},
        202: {"model": ProcessView, "description": "The source cannot be read right now; the job reads it later"},
        304: {"description": "Your copy is current"},
        **_WITH_URL,
    },
    callbacks=webhook_callback("{$request.query.webhook_url}", "get_process"),
    summary="Ask for a case",
)
async def get_process(
    numero: Number,
    caller: Reader,
    parts: Parts,
    trace: Trace,
    webhook_url: WebhookUrl = None,
    auto_download: Annotated[bool, Query(description="Start the download unless it runs or is done")] = True,
    refresh: Annotated[bool, Query(description="Read the source again; download what is new or gone")] = False,
    documents: WithDocuments = True,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """What is known of the case, at once; its documents are downloaded in the background.

    A second request joins the running job. When the last job has ended and the metadata is fresh, the stored answer
    comes, and a `webhook_url` given then is called at once.
    """
    if auto_download:
        caller.require("download", "starting a download needs a key with the scope 'download'; or auto_download=false")
    url = await _checked(parts, caller, webhook_url)
    wishes = {"webhook_url": url, "download": auto_download, "refresh": refresh, "documents": documents}
    answer = await parts.cases.ask(_ask(numero, caller, parts, trace, **wishes))
    outcome, view = answer.outcome, answer.view
    if not outcome.stored:
        return Json(view, 202, answer.headers)
    tag = parts.follower.tag(outcome.marker, outcome.sight, view["webhook"], view["stale"], documents)
    if outcome.kind != "accepted" and matches(if_none_match, tag):
        return not_modified(tag)
    return tagged(answer.view, tag, headers=answer.headers)


@router.get(
    "/{numero}/status",
    response_model=None,
    responses={
        200: {"model": StatusView, "description": "How far the case's job is"},
        304: {"description": "Your copy is current"},
        **described(InvalidProcessNumber, ProcessUnknown, TooManyWaits),
    },
    summary="Follow a case by polling",
)
async def get_status(
    numero: Number,
    caller: Reader,
    parts: Parts,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a change")] = 0,
    documents: WithDocuments = True,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The job and its documents. With `wait` the answer comes at the next change, or when the time is over."""
    sight = await parts.follower.sight(caller.viewer, numero)
    if wait > 0:
        with parts.waits.taken(caller.client_id):
            marker = await parts.follower.wait(numero, wait, if_none_match)
        caller = await parts.keys.again(caller, "read")
    else:
        marker = await parts.follower.marker(numero)
    more = () if documents else (documents,)
    tag = parts.follower.tag(marker, sight, *more)
    if matches(if_none_match, tag):
        return not_modified(tag)
    sight, view = await parts.follower.status(caller.viewer, numero, documents=documents)
    return tagged(view, parts.follower.tag(marker, sight, *more))


@router.get(
    "/{numero}/events",
    response_model=None,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The events"},
        204: {"description": "The job has ended and you have had its last event"},
        **described(InvalidProcessNumber, ProcessUnknown, TooManyStreams),
    },
    summary="Follow a case live",
)
async def get_events(
    numero: Number,
    caller: Reader,
    parts: Parts,
    last_event_id: Annotated[str | None, Header(description="Where to go on")] = None,
) -> Response:
    """Server-Sent Events: `document` for each change of a document, `progress`, and `completed` at the end."""
    sight = await parts.follower.sight(caller.viewer, numero)
    if await parts.follower.over(numero, sight, last_event_id):
        return Response(status_code=204)

    async def listener() -> Viewer | None:
        try:
            return (await parts.keys.again(caller, "read")).viewer
        except (Unauthorized, InsufficientScope):
            return None

    place = parts.streams.take(caller.client_id)
    return PlacedStream(
        parts.follower.events(numero, last_event_id, listener),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    ).placed(place)


@router.get(
    "/{numero}/files",
    response_model=None,
    responses={200: {"model": FilesView, "description": "The available documents"}, **_KNOWN},
    summary="The available documents with their links",
)
async def get_files(numero: Number, caller: Reader, parts: Parts) -> Response:
    """The documents that have been downloaded; each has a link that needs no key."""
    found = await parts.database.read(
        lambda connection: read_files(connection, numero, sight_for(connection, caller.viewer, numero))
    )
    return Json(await parts.links.build(found.files, len(found.documents)))


@router.post(
    "/{numero}/download-documents",
    response_model=None,
    responses={200: {"model": ProcessView | JobAnswer, "description": "The case; nothing is downloaded"}, **_ASKED},
    summary="Register a case's metadata only",
)
async def register_documents(
    numero: Number, caller: Downloader, parts: Parts, trace: Trace, documents: WithDocuments = True
) -> Response:
    """Reads the case at the source when it is unknown or its metadata is old; downloads nothing."""
    answer = await parts.cases.ask(_ask(numero, caller, parts, trace, download=False, documents=documents))
    return Json(seen_by(caller, answer.view), headers=answer.headers)


@router.post(
    "/{numero}/download-document/{document_id}",
    status_code=202,
    response_model=None,
    responses={
        202: {"model": ProcessView | JobAnswer, "description": "The case with the job for the document"},
        **described(
            InvalidProcessNumber,
            ProcessNotFound,
            DocumentNotFound,
            NoAccess,
            RateLimited,
            TooManyActiveJobs,
        ),
    },
    summary="Download one document",
)
async def download_document(
    numero: Number,
    document_id: DocumentId,
    caller: Downloader,
    parts: Parts,
    trace: Trace,
    documents: WithDocuments = True,
) -> Response:
    """Joins the case's running job, or starts one for this document; one that is available is only fetched again when
    it is gone from the object store.
    """
    document = await parts.database.read(
        partial(find_available, viewer=caller.viewer, process_number=numero, document_id=document_id)
    )
    lost = document is not None and await is_gone(parts.objects, document)
    answer = await parts.cases.ask(
        _ask(numero, caller, parts, trace, document_id=document_id, lost=lost, documents=documents)
    )
    return Json(seen_by(caller, answer.view), 202, answer.headers)


@router.post(
    "/{numero}/download-all-documents",
    status_code=202,
    response_model=None,
    responses={202: {"model": ProcessView | JobAnswer, "description": "The case with its job"}, **_WITH_URL},
    callbacks=webhook_callback("{$request.body#/webhook_url}", "download_all"),
    summary="Download all documents, the failed ones too",
)
async def download_all(
    numero: Number,
    caller: Downloader,
    parts: Parts,
    trace: Trace,
    body: DownloadBody | None = None,
    documents: WithDocuments = True,
) -> Response:
    """Joins the case's running job, or starts one that tries every document that is not available, and those that are
    gone from the object store.
    """
    url = await _checked(parts, caller, body.webhook_url if body is not None else None)
    answer = await parts.cases.ask(
        _ask(numero, caller, parts, trace, webhook_url=url, retry_failed=True, documents=documents)
    )
    return Json(seen_by(caller, answer.view), 202, answer.headers)


async def _checked(parts: Resources, caller: Caller, url: str | None) -> str | None:
    require_webhooks(caller, url)
    if url is None:
        return None
    return (await parts.urls.check(url)).url


def _ask(numero: ProcessNumber, caller: Caller, parts: Resources, trace: str, **wishes: Any) -> Ask:
    return Ask(numero, caller.viewer, parts.clock(), trace, **wishes)
