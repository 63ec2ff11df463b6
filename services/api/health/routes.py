"""The routes that need no key: health and metrics."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from services.api.health.backlog import backlog
from services.api.health.checks import Readiness
from services.api.http.answers import Json
from services.api.http.described_problems import Responses, described
from services.api.http.problems import UnknownParameter
from services.api.http.provided import provided
from services.api.metrics import ApiMetrics
from shared.db.engine import Database
from shared.errors import InfrastructureAway

router = APIRouter(tags=["health"])
_OPEN: Final[Responses] = {422: described(UnknownParameter, guarded=False)[422]}
"""What a route without a key and without parameters may refuse."""
_METRICS: Final = "# TYPE autos_api_requests_in_flight gauge\nautos_api_requests_in_flight 2.0\n"


class Live(BaseModel):
    """The process runs."""

    status: Literal["ok"]


class Ready(BaseModel):
    """What each thing behind the service says: ``ok`` or what is wrong. ``degraded``: requests are answered anyway."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, str]


@router.get(
    "/health/live",
    response_model=None,
    operation_id="getLiveness",
    summary="Whether the process runs",
    responses={200: {"model": Live, "description": "Alive"}, **_OPEN},
)
async def live() -> Response:
    """Answers as long as the process can."""
    return Json({"status": "ok"})


@router.get(
    "/health/ready",
    response_model=None,
    operation_id="getReadiness",
    summary="Whether requests can be answered",
    responses={
        **_OPEN,
        200: {"model": Ready, "description": "Requests are answered; when `degraded`, `checks` says what is away"},
        503: {"model": Ready, "description": "The database does not answer"},
    },
)
async def ready(readiness: Annotated[Readiness, Depends(provided(Readiness))]) -> Response:
    """Whether requests can be answered, which needs the database; `checks` shows the rest too.

    While the broker is away requests are accepted and their events kept; while the store is away documents cannot be
    fetched through the API. `outbox` names the outbox whose events have waited for more than 30 s, and how long;
    `source` says when a firewall before the source forbids everything.
    """
    health = await readiness.look()
    return Json({"status": health.status, "checks": health.checks}, 503 if health.status == "unavailable" else 200)


@router.get(
    "/metrics",
    response_model=None,
    operation_id="getMetrics",
    summary="Prometheus metrics",
    responses={
        **_OPEN,
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _METRICS}},
            "description": "Prometheus text",
        },
    },
)
async def metrics(
    found: Annotated[ApiMetrics, Depends(provided(ApiMetrics))],
    database: Annotated[Database, Depends(provided(Database))],
) -> Response:
    """Prometheus metrics of this process, with what waits in the database as it is now."""
    try:
        found.show(await database.autocommit(backlog))
    except InfrastructureAway:
        found.show(None)
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
