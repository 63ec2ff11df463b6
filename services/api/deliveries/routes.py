"""The routes of deliveries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.access.dependencies import Subscriber
from services.api.deliveries.schemas import DeliveryPage, DeliveryView
from services.api.deliveries.service import Deliveries, DeliveryFilter
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import CursorText, DeliveryId, NumberText, case_number
from services.api.http.problems import DeliveryNotFound, InvalidCursor, InvalidProcessNumberProblem
from services.api.http.provided import Trace
from services.api.http.schemas import DeliveryStatusName

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get(
    "/deliveries",
    response_model=None,
    responses={
        200: {"model": DeliveryPage, "description": "Your deliveries"},
        **described(InvalidCursor, InvalidProcessNumberProblem),
    },
    summary="Your deliveries",
)
async def list_deliveries(
    caller: Subscriber,
    deliveries: Deliveries,
    process_number: Annotated[NumberText | None, Query(description="Only those of this case")] = None,
    status: Annotated[DeliveryStatusName | None, Query(description="Only those with this status")] = None,
    cursor: Annotated[CursorText | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Newest first."""
    number = case_number(process_number, "query.process_number") if process_number is not None else None
    return Json(await deliveries.page(caller.viewer, DeliveryFilter(number, status, cursor, limit)))


@router.get(
    "/deliveries/{delivery_id}",
    response_model=None,
    responses={200: {"model": DeliveryView, "description": "The delivery"}, **described(DeliveryNotFound)},
    summary="One delivery with every attempt",
)
async def get_delivery(delivery_id: DeliveryId, caller: Subscriber, deliveries: Deliveries) -> Response:
    """What was sent when, to which address, and what was answered."""
    return Json(await deliveries.show(caller.viewer, delivery_id))


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=None,
    responses={202: {"model": DeliveryView, "description": "It will be sent again"}, **described(DeliveryNotFound)},
    summary="Send a delivery again",
)
async def redeliver(delivery_id: DeliveryId, caller: Subscriber, deliveries: Deliveries, trace: Trace) -> Response:
    """Starts a new round of attempts, with the same webhook-id and links made anew."""
    return Json(await deliveries.redeliver(caller.viewer, delivery_id, trace), 202)
