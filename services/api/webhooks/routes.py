"""The routes of a client's webhook secret."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.access.dependencies import Subscriber
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.problems import SecretsUnreadable
from services.api.webhooks.schemas import SecretView
from services.api.webhooks.service import Webhooks

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get(
    "/secret",
    response_model=None,
    responses={200: {"model": SecretView, "description": "Your secret"}, **described(SecretsUnreadable)},
    summary="Your signing secret",
)
async def get_secret(caller: Subscriber, webhooks: Webhooks) -> Response:
    """Verify `webhook-signature` with it (Standard Webhooks)."""
    return Json(await webhooks.secret(caller.client_id))


@router.post(
    "/secret/rotate",
    response_model=None,
    responses={200: {"model": SecretView, "description": "Your new secret"}, **described()},
    summary="Make a new signing secret",
)
async def rotate_secret(caller: Subscriber, webhooks: Webhooks) -> Response:
    """The previous one signs too for 24 hours: two signatures, separated by a space."""
    return Json(await webhooks.rotate(caller.client_id))
