"""What every request for a case begins with: who asks, when, and in which trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query, Request

from services.api.access.caller import Caller
from services.api.http.parameters import ReferenceText, client_reference
from services.api.http.provided import parts_of
from services.api.http.schemas import PayloadName
from services.api.processes.request.case_request import CaseRequestTemplate


def _begun(request: Request) -> CaseRequestTemplate:
    # `authenticated` has found it: every route with a caller stands behind it (services/api/app.py).
    caller: Caller = request.state.caller
    now = parts_of(request.app).clock()
    return CaseRequestTemplate(viewer=caller.viewer, asked_at=now, traceparent=request.state.traceparent)


async def _template(request: Request) -> CaseRequestTemplate:
    return _begun(request)


Template = Annotated[CaseRequestTemplate, Depends(_template)]
"""The request as it came in; the route adds what it wants (``dataclasses.replace``) and of which case (``of``)."""


WebhookPayload = Annotated[
    PayloadName | None,
    Query(description="thin: the webhook has no documents, `documents_url` leads to them; null: as its receiver takes"),
]


async def _named(
    request: Request,
    reference: Annotated[
        ReferenceText | None, Query(description="Your own name for it: comes back in views, webhooks and events")
    ] = None,
    webhook_payload: WebhookPayload = None,
) -> CaseRequestTemplate:
    return replace(_begun(request), reference=client_reference(reference), webhook_payload=webhook_payload)


NamedTemplate = Annotated[CaseRequestTemplate, Depends(_named)]
"""The same, with the client's own reference and the payload of its webhook. Raises InvalidReferenceProblem."""
