"""The routes of many cases: a batch of requests, and the list of what was asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.access.dependencies import Downloader, Reader
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.error_handlers import problem_document
from services.api.http.parameters import CursorText, client_reference
from services.api.http.problems import InvalidCursor, InvalidReferenceProblem, InvalidWebhookUrl
from services.api.http.schemas import JobStatusName
from services.api.processes.callback import webhook_callback
from services.api.processes.request.batch import Batches
from services.api.processes.request_template import Template
from services.api.processes.view.case_list import CaseFilter, CaseLists
from services.api.processes.view.schemas import BatchBody, BatchView, CasePage
from services.api.webhooks.urls import Urls

router = APIRouter(prefix="/processes", tags=["processes"])


@router.post(
    "/batch",
    status_code=202,
    response_model=None,
    responses={
        202: {"model": BatchView, "description": "What became of each"},
        **described(InvalidWebhookUrl, InvalidReferenceProblem),
    },
    callbacks=webhook_callback("{$request.body#/webhook_url}", "askForMany"),
    summary="Ask for up to 500 cases",
)
async def ask_for_many(
    body: BatchBody, caller: Downloader, template: Template, urls: Urls, batches: Batches, request: Request
) -> Response:
    """Starts or joins a job for each case; the webhook is called once for each.

    A case that is new or old is read at the source by its job, so that one unknown to the source is accepted here and
    its job fails with `process_not_found`.
    """
    url = await urls.of_caller(caller, body.webhook_url, "body.webhook_url")
    reference = client_reference(body.reference, "body.reference")
    template = replace(template, webhook_url=url, webhook_payload=body.webhook_payload, reference=reference)
    describe = partial(problem_document, request=request)
    entries, headers = await batches.ask(body.process_numbers, template, describe)
    return Json({"entries": entries}, 202, headers)


@router.get(
    "",
    response_model=None,
    responses={200: {"model": CasePage, "description": "Your cases"}, **described(InvalidCursor)},
    summary="The cases that you asked for",
)
async def list_cases(
    caller: Reader,
    lists: CaseLists,
    status: Annotated[JobStatusName | None, Query(description="Only those whose newest job has this status")] = None,
    cursor: Annotated[CursorText | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The latest asked for first."""
    return Json(await lists.page(caller.viewer, CaseFilter(status, cursor, limit)))
