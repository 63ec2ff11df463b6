"""The route of the system's state."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.access.dependencies import Administrator
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.system.schemas import SystemView
from services.api.system.service import System

router = APIRouter(tags=["system"])


@router.get(
    "/system",
    response_model=None,
    responses={200: {"model": SystemView, "description": "The state now"}, **described()},
    summary="How the system does",
)
async def get_system(caller: Administrator, system: System) -> Response:
    """For operators (scope `admin`): what waits where and how long, how far the consumer groups are behind, and what
    was given up (of the source: `/source/status`). It tells nothing of cases or clients. At most two seconds old.
    """
    return Json(await system.show())
