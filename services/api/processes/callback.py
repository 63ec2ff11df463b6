"""The webhook of a case as the OpenAPI document describes it: what it carries, and what a receiver answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header
from pydantic import Field
from starlette.routing import BaseRoute

from services.api.http.schemas import EndedStatusName, View
from services.api.processes.view.schemas import DocumentView


class CompletedData(View):
    """The job's end, the case and its documents."""

    job_id: str
    process_number: str
    status: EndedStatusName
    total_documents: int
    completed_documents: int
    failed_documents: int
    progress_percentage: float
    created_at: datetime
    completed_at: datetime
    reference: str | None = Field(None, description="Yours: what you gave as `reference` with the request")
    process: dict[str, Any] = Field(description="The case fields of ProcessView")
    documents: list[DocumentView] = Field(description="Those that everybody may see; sealed ones are left out")
    documents_total: int
    documents_truncated: bool = Field(description="There are more: `documents_url` has them")
    documents_url: str


class ProcessCompletedWebhook(View):
    """The body of a webhook; signed, see the headers."""

    type: Literal["process.completed"]
    timestamp: datetime
    data: CompletedData


WebhookId = Annotated[str, Header(alias="webhook-id", description="The delivery's id, the same in every attempt")]
WebhookTimestamp = Annotated[str, Header(alias="webhook-timestamp", description="Seconds of the epoch")]
WebhookSignature = Annotated[
    str, Header(alias="webhook-signature", description="`v1,` and the base64 of HMAC-SHA256; several by spaces")
]
WebhookAttempt = Annotated[int, Header(alias="webhook-attempt", ge=1)]


def _receiver(
    body: ProcessCompletedWebhook,
    webhook_id: WebhookId,
    webhook_timestamp: WebhookTimestamp,
    webhook_signature: WebhookSignature,
    webhook_attempt: WebhookAttempt,
) -> None:
    """Called once when the job has ended, and again until you answer 2xx or the attempts are used up.

    Answer within 15 seconds. 410 ends the delivery and disables the receiver. The same `webhook-id` may come twice.
    """


_RECEIVED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Received (any 2xx)"},
    410: {"description": "Never call this URL again"},
}


def describe_receiver(router: APIRouter, path: str, operation_id: str) -> None:
    """Put the receiver's side of the webhook into the document, as the operation of this path."""
    router.add_api_route(
        path,
        _receiver,
        methods=["POST"],
        name="process_completed",
        summary="A job has ended",
        response_model=None,
        responses=_RECEIVED,
        operation_id=operation_id,
    )


def webhook_callback(expression: str, route: str) -> list[BaseRoute]:
    """The callback of ``route``, whose request gives the URL by this runtime expression (OpenAPI 3.1, 4.8.20)."""
    router = APIRouter()
    # The framework wants a path; a runtime expression is what the document shows.
    describe_receiver(router, expression, f"process_completed_after_{route}")
    return router.routes
