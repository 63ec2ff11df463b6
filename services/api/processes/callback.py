"""The webhook of a case as the OpenAPI document describes it: what it carries, and what a receiver answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header
from pydantic import Field, create_model
from starlette.routing import BaseRoute

from services.api.http.schemas import EndedStatusName, View
from services.api.processes.view.schemas import DocumentView
from shared.webhooks.event_types.process_completed import ProcessCompletedData
from shared.webhooks.facts import PROCESS_COMPLETED
from shared.webhooks.registry import EVENT_TYPES


class CompletedData(ProcessCompletedData):
    """The job's end, the case and its documents."""

    status: EndedStatusName  # type: ignore[assignment]
    documents: list[DocumentView] = Field(description="Those that everybody may see; sealed ones are left out")


class ProcessCompletedWebhook(View):
    """The body of a webhook; signed, see the headers."""

    type: Literal["process.completed"]
    timestamp: datetime
    data: CompletedData


WebhookId = Annotated[str, Header(alias="webhook-id", description="The delivery's id, the same in every attempt")]
WebhookTimestamp = Annotated[str, Header(alias="webhook-timestamp", description="Seconds of the epoch")]
WebhookSignature = Annotated[
    str,
    Header(
        alias="webhook-signature",
        description="`v1,` and the base64 of HMAC-SHA256, `v1a,` and that of Ed25519; by spaces",
    ),
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


def describe_receiver(router: APIRouter, path: str, operation_id: str, name: str = PROCESS_COMPLETED) -> None:
    """Put the receiver's side of a type of webhook into the document, as the operation of this path."""
    router.add_api_route(
        path,
        _receiver_of(name),
        methods=["POST"],
        name=name.replace(".", "_"),
        summary=EVENT_TYPES[name].summary,
        response_model=None,
        responses=_RECEIVED,
        operation_id=operation_id,
    )


def describe_webhooks(router: APIRouter) -> None:
    """Put every type of webhook into the document."""
    for name in EVENT_TYPES:
        first, *others = name.split(".")
        describe_receiver(router, name, first + "".join(map(str.capitalize, others)), name)


def _receiver_of(name: str) -> Callable[..., None]:
    if name == PROCESS_COMPLETED:
        return _receiver

    def receiver(*given: Any, **named: Any) -> None: ...

    kind = EVENT_TYPES[name]
    body = create_model(
        "".join(part.capitalize() for part in name.split(".")) + "Webhook",
        __base__=View,
        __doc__=kind.summary,
        type=(Literal[name], ...),  # type: ignore[arg-type]
        timestamp=(datetime, ...),
        data=(kind.data, ...),
    )
    signature = inspect.signature(_receiver, eval_str=True)
    parameters = {**signature.parameters, "body": signature.parameters["body"].replace(annotation=body)}
    receiver.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    receiver.__doc__ = _receiver.__doc__
    return receiver


def webhook_callback(expression: str, route: str) -> list[BaseRoute]:
    """The callback of ``route``, whose request gives the URL by this runtime expression (OpenAPI 3.1, 4.8.20)."""
    router = APIRouter()
    # The framework wants a path; a runtime expression is what the document shows.
    describe_receiver(router, expression, f"processCompletedAfter{route[:1].upper()}{route[1:]}")
    return router.routes
