"""The routes of many cases: a batch of requests, and the list of what was asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import Downloader, Reader, require_webhooks
from services.api.http.answers import Json
from services.api.http.parameters import CursorText
from services.api.http.problems import InvalidCursor, InvalidWebhookUrl, described
from services.api.openapi import webhook_callback
from services.api.processes.request.decisions import Ask
from services.api.processes.view.listing import Wanted
from services.api.processes.view.schemas import BatchBody, BatchView, CasePage, JobStatusName
from services.api.resources import Parts, Trace
from shared.domain.cnj import ProcessNumber

router = APIRouter(prefix="/processes", tags=["processes"])


@router.post(
    "/batch",
    status_code=202,
    response_model=None,
    responses={202: {"model": BatchView, "description": "What became of each"}, **described(InvalidWebhookUrl)},
    callbacks=webhook_callback("{$request.body#/webhook_url}", "ask_for_many"),
    summary="Ask for up to 500 cases",
)
async def ask_for_many(body: BatchBody, caller: Downloader, parts: Parts, trace: Trace, request: Request) -> Response:
    """Starts or joins a job for each case; the webhook is called once for each.

    A case that is new or old is read at the source by its job, so that one unknown to the source is accepted here and
    its job fails with `process_not_found`.
    """
    require_webhooks(caller, body.webhook_url)
    url = (await parts.urls.check(body.webhook_url, "body.webhook_url")).url if body.webhook_url is not None else None
    like = Ask(ProcessNumber(""), caller.viewer, parts.clock(), trace, webhook_url=url)
    entries, headers = await parts.batches.ask(body.process_numbers, like, request.state.request_id)
    return Json({"entries": entries}, 202, headers)


@router.get(
    "",
    response_model=None,
    responses={200: {"model": CasePage, "description": "Your cases"}, **described(InvalidCursor)},
    summary="The cases that you asked for",
)
async def list_cases(
    caller: Reader,
    parts: Parts,
    status: Annotated[JobStatusName | None, Query(description="Only those whose newest job has this status")] = None,
    cursor: Annotated[CursorText | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The latest asked for first."""
    return Json(await parts.listing.page(caller.viewer, Wanted(status, cursor, limit)))
