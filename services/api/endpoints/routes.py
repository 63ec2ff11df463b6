"""The routes of endpoints and of test events."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

from services.api.access.dependencies import Subscriber
from services.api.access.rate_limit import RateLimited
from services.api.endpoints.rules import InvalidEndpoint, SealingKeyMissing, TooManyEndpoints
from services.api.endpoints.schemas import (
    EndpointBody,
    EndpointCreated,
    EndpointList,
    EndpointPatch,
    EndpointView,
    TestBody,
    TestResult,
)
from services.api.endpoints.service import Endpoints
from services.api.endpoints.test_events import TestSends, TestTarget
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import EndpointId
from services.api.http.problems import (
    EndpointNotFound,
    InvalidProcessNumberProblem,
    InvalidWebhookUrl,
    ProcessUnknown,
    SecretsUnreadable,
)
from services.api.http.provided import Trace

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

_WRITTEN: Final = (InvalidWebhookUrl, InvalidEndpoint, SealingKeyMissing, RateLimited)
_NOT_NULL: Final = ("url", "events", "payload", "headers")


@router.post(
    "/endpoints",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": EndpointCreated, "description": "It is registered; the secret is shown this once"},
        **described(*_WRITTEN, TooManyEndpoints),
    },
    summary="Register an endpoint",
)
async def create_endpoint(body: EndpointBody, caller: Subscriber, endpoints: Endpoints, trace: Trace) -> Response:
    """It gets every event of your cases of the types that it names, until you remove it.

    A `webhook_url` in a request is called besides.
    """
    view, headers = await endpoints.register(caller.client_id, body.model_dump(), trace)
    return Json(view, 201, {**headers, "Location": f"/webhooks/endpoints/{view['id']}"})


@router.get(
    "/endpoints",
    response_model=None,
    responses={200: {"model": EndpointList, "description": "Your endpoints"}, **described()},
    summary="Your endpoints and how they do",
)
async def list_endpoints(caller: Subscriber, endpoints: Endpoints) -> Response:
    """Those that you registered, then every URL (without its query) that your requests named."""
    return Json(await endpoints.list(caller.client_id))


@router.get(
    "/endpoints/{endpoint_id}",
    response_model=None,
    responses={200: {"model": EndpointView, "description": "The endpoint"}, **described(EndpointNotFound)},
    summary="One endpoint and how it does",
)
async def get_endpoint(endpoint_id: EndpointId, caller: Subscriber, endpoints: Endpoints) -> Response:
    """Without its secret and the values of its headers."""
    return Json(await endpoints.show(caller.client_id, endpoint_id))


@router.patch(
    "/endpoints/{endpoint_id}",
    response_model=None,
    responses={
        200: {"model": EndpointView, "description": "The endpoint after it"},
        **described(EndpointNotFound, *_WRITTEN),
    },
    summary="Change an endpoint",
)
async def change_endpoint(
    endpoint_id: EndpointId, body: EndpointPatch, caller: Subscriber, endpoints: Endpoints, trace: Trace
) -> Response:
    """What is left out stays. What still waits for the endpoint goes to its new URL, with its new headers."""
    given = body.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name not in _NOT_NULL}
    view, headers = await endpoints.change(caller.client_id, endpoint_id, wanted, trace)
    return Json(view, headers=headers)


@router.delete(
    "/endpoints/{endpoint_id}",
    status_code=204,
    response_model=None,
    responses={204: {"description": "It is removed"}, **described(EndpointNotFound)},
    summary="Remove an endpoint that you registered",
)
async def delete_endpoint(endpoint_id: EndpointId, caller: Subscriber, endpoints: Endpoints, trace: Trace) -> Response:
    """What was still to be sent to it is cancelled."""
    await endpoints.remove(caller.client_id, endpoint_id, trace)
    return Response(status_code=204)


@router.post(
    "/endpoints/{endpoint_id}/enable",
    status_code=202,
    response_model=None,
    responses={202: {"model": EndpointView, "description": "It will be called again"}, **described(EndpointNotFound)},
    summary="Enable a disabled endpoint",
)
async def enable_endpoint(endpoint_id: EndpointId, caller: Subscriber, endpoints: Endpoints, trace: Trace) -> Response:
    """What was kept for it is sent."""
    return Json(await endpoints.enable(caller.client_id, endpoint_id, trace), 202)


@router.post(
    "/endpoints/{endpoint_id}/secret/rotate",
    response_model=None,
    responses={
        200: {"model": EndpointCreated, "description": "Its new secret, shown this once"},
        **described(EndpointNotFound),
    },
    summary="Make a new secret for an endpoint",
)
async def rotate_endpoint_secret(endpoint_id: EndpointId, caller: Subscriber, endpoints: Endpoints) -> Response:
    """The previous one signs too for 24 hours: two signatures, separated by a space."""
    return Json(await endpoints.rotate(caller.client_id, endpoint_id))


@router.post(
    "/test",
    response_model=None,
    responses={
        200: {"model": TestResult, "description": "What came back"},
        **described(
            InvalidWebhookUrl,
            InvalidEndpoint,
            EndpointNotFound,
            InvalidProcessNumberProblem,
            ProcessUnknown,
            SealingKeyMissing,
            SecretsUnreadable,
            RateLimited,
        ),
    },
    summary="Send a signed test event",
)
async def send_test(body: TestBody, caller: Subscriber, tests: TestSends) -> Response:
    """One attempt, now, with the headers of a real webhook; whatever the receiver answers, this is a 200.

    `real_body` says how large the webhook of a case of yours would be.
    """
    target = TestTarget(body.url, body.endpoint_id, body.process_number)
    view, headers = await tests.send(caller.viewer, target)
    return Json(view, headers=headers)
