"""The routes of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from services.api.access.dependencies import Downloader, Keys, Reader
from services.api.access.rate_limit import RateLimited
from services.api.http.answers import Json, matches, not_modified, tagged
from services.api.http.described_problems import described
from services.api.http.open_requests import TooManyWaits, Waits
from services.api.http.parameters import DocumentId, Number, UrlText, WithDocuments, client_reference
from services.api.http.problems import (
    CaseBeingDeleted,
    CaseTooLargeProblem,
    CaseUnreadableProblem,
    DocumentNotFoundProblem,
    InvalidProcessNumberProblem,
    InvalidReferenceProblem,
    InvalidWebhookUrl,
    NoAccessProblem,
    ProcessNotFoundProblem,
    ProcessUnknown,
    SourceUnavailableProblem,
    TooManyActiveJobs,
)
from services.api.processes.callback import webhook_callback
from services.api.processes.follow.follower import Follower
from services.api.processes.request.answer import OutcomeKind
from services.api.processes.request.service import Cases
from services.api.processes.request_template import NamedTemplate, Template
from services.api.processes.view.objects import Objects
from services.api.processes.view.pages import Pages
from services.api.processes.view.schemas import DownloadBody, FilesView, JobAnswer, ProcessView, StatusView
from services.api.processes.view.views import seen_by
from services.api.webhooks.urls import Urls
from shared.domain.api_keys import Scope

router = APIRouter(prefix="/processes", tags=["processes"])

WebhookUrl = Annotated[
    UrlText | None,
    Query(description="Called once all documents are done, however that ends"),
]
IfNoneMatch = Annotated[str | None, Header(description="The ETag of the copy you have")]

_ASKED = described(
    CaseBeingDeleted,
    InvalidProcessNumberProblem,
    ProcessNotFoundProblem,
    NoAccessProblem,
    RateLimited,
    TooManyActiveJobs,
    CaseTooLargeProblem,
    CaseUnreadableProblem,
    SourceUnavailableProblem,
)
_WITH_URL = described(
    CaseBeingDeleted,
    InvalidProcessNumberProblem,
    InvalidWebhookUrl,
    InvalidReferenceProblem,
    ProcessNotFoundProblem,
    NoAccessProblem,
    RateLimited,
    TooManyActiveJobs,
    CaseTooLargeProblem,
    CaseUnreadableProblem,
    SourceUnavailableProblem,
)
_KNOWN = described(InvalidProcessNumberProblem, ProcessUnknown)


@router.get(
    "/{numero}",
    response_model=None,
    responses={
        200: {"model": ProcessView, "description": "The case as it is known now"},
        202: {"model": ProcessView, "description": "The source cannot be read right now; the job reads it later"},
        304: {"description": "Your copy is current"},
        **_WITH_URL,
    },
    callbacks=webhook_callback("{$request.query.webhook_url}", "getProcess"),
    summary="Ask for a case",
)
async def get_process(
    numero: Number,
    caller: Reader,
    template: NamedTemplate,
    urls: Urls,
    cases: Cases,
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
        caller.require(
            Scope.DOWNLOAD, "starting a download needs a key with the scope 'download'; or auto_download=false"
        )
    url = await urls.of_caller(caller, webhook_url)
    wanted = replace(template, webhook_url=url, download=auto_download, refresh=refresh, documents=documents)
    answer = await cases.ask(wanted.of(numero))
    if not answer.outcome.is_stored:
        return Json(answer.view, 202, answer.headers)
    if answer.outcome.kind is not OutcomeKind.ACCEPTED and matches(if_none_match, answer.tag):
        return not_modified(answer.tag)
    return tagged(answer.view, answer.tag, headers=answer.headers)


@router.get(
    "/{numero}/status",
    response_model=None,
    responses={
        200: {"model": StatusView, "description": "How far the case's job is"},
        304: {"description": "Your copy is current"},
        **described(InvalidProcessNumberProblem, ProcessUnknown, TooManyWaits),
    },
    summary="Follow a case by polling",
)
async def get_status(
    numero: Number,
    caller: Reader,
    keys: Keys,
    follower: Follower,
    waits: Waits,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a change")] = 0,
    documents: WithDocuments = True,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The job and its documents. With `wait` the answer comes at the next change, or when the time is over."""
    sight = await follower.sight(caller.viewer, numero)
    if wait > 0:
        with waits.admitted(caller.client_id):
            version = await follower.wait(numero, wait, if_none_match)
        caller = await keys.again(caller, Scope.READ)
    else:
        version = await follower.version(numero)
    more = () if documents else (documents,)
    tag = follower.tag(version, sight, *more)
    if matches(if_none_match, tag):
        return not_modified(tag)
    sight, view = await follower.status(caller.viewer, numero, documents=documents)
    return tagged(view, follower.tag(version, sight, *more))


@router.get(
    "/{numero}/files",
    response_model=None,
    responses={200: {"model": FilesView, "description": "The available documents"}, **_KNOWN},
    summary="The available documents with their links",
)
async def get_files(numero: Number, caller: Reader, pages: Pages) -> Response:
    """The documents that have been downloaded; each has a link that needs no key."""
    return Json(await pages.files(caller.viewer, numero))


@router.post(
    "/{numero}/download-documents",
    response_model=None,
    responses={200: {"model": ProcessView | JobAnswer, "description": "The case; nothing is downloaded"}, **_ASKED},
    summary="Register a case's metadata only",
)
async def register_documents(
    numero: Number, caller: Downloader, template: Template, cases: Cases, documents: WithDocuments = True
) -> Response:
    """Reads the case at the source when it is unknown or its metadata is old; downloads nothing."""
    answer = await cases.ask(replace(template, download=False, documents=documents).of(numero))
    return Json(seen_by(caller, answer.view), headers=answer.headers)


@router.post(
    "/{numero}/download-document/{document_id}",
    status_code=202,
    response_model=None,
    responses={
        202: {"model": ProcessView | JobAnswer, "description": "The case with the job for the document"},
        **described(
            CaseBeingDeleted,
            InvalidProcessNumberProblem,
            ProcessNotFoundProblem,
            DocumentNotFoundProblem,
            NoAccessProblem,
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
    template: Template,
    cases: Cases,
    objects: Objects,
    documents: WithDocuments = True,
) -> Response:
    """Joins the case's running job, or starts one for this document; one that is available is only fetched again when
    it is gone from the object store.
    """
    lost = await objects.is_lost(caller.viewer, numero, document_id)
    wanted = replace(template, document_id=document_id, lost=lost, documents=documents)
    answer = await cases.ask(wanted.of(numero))
    return Json(seen_by(caller, answer.view), 202, answer.headers)


@router.post(
    "/{numero}/download-all-documents",
    status_code=202,
    response_model=None,
    responses={202: {"model": ProcessView | JobAnswer, "description": "The case with its job"}, **_WITH_URL},
    callbacks=webhook_callback("{$request.body#/webhook_url}", "downloadAll"),
    summary="Download all documents, the failed ones too",
)
async def download_all(
    numero: Number,
    caller: Downloader,
    template: Template,
    urls: Urls,
    cases: Cases,
    body: DownloadBody | None = None,
    documents: WithDocuments = True,
) -> Response:
    """Joins the case's running job, or starts one that tries every document that is not available, and those that are
    gone from the object store.
    """
    body = body or DownloadBody.model_validate({})
    own = client_reference(body.reference, "body.reference")
    url = await urls.of_caller(caller, body.webhook_url)
    webhook = replace(template, webhook_url=url, webhook_payload=body.webhook_payload, reference=own)
    wanted = replace(webhook, retry_failed=True, documents=documents)
    answer = await cases.ask(wanted.of(numero))
    return Json(seen_by(caller, answer.view), 202, answer.headers)
