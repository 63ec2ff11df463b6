"""The route of the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from services.api.access.dependencies import Keys, Reader
from services.api.feed.rows import FeedFilter
from services.api.feed.schemas import EventPage
from services.api.feed.service import Feed
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.open_requests import TooManyWaits, Waits
from services.api.http.parameters import NumberText, case_number
from services.api.http.problems import InvalidCursor, InvalidProcessNumberProblem
from shared.domain.api_keys import Scope
from shared.domain.secrecy import Viewer
from shared.webhooks.registry import SUBSCRIBABLE

if TYPE_CHECKING:
    EventTypeName = str
else:
    EventTypeName = Literal[tuple(SUBSCRIBABLE)]

router = APIRouter(tags=["events"])


def _split(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [name for text in value for name in (text.split(",") if isinstance(text, str) else [text])]


AfterText = Annotated[str, Field(json_schema_extra={"format": "cursor-events"})]


@router.get(
    "/events",
    response_model=None,
    responses={
        200: {"model": EventPage, "description": "Your events"},
        **described(InvalidCursor, InvalidProcessNumberProblem, TooManyWaits),
    },
    summary="Your events in order",
)
async def list_events(
    caller: Reader,
    keys: Keys,
    feed: Feed,
    waits: Waits,
    after: Annotated[
        AfterText | None, Query(description="next_cursor of the page before; `end`: only what comes from now on")
    ] = None,
    types: Annotated[
        Annotated[list[EventTypeName], Field(max_length=20), BeforeValidator(_split)] | None,
        Query(description="Only these types, separated by commas or one each; without it those about cases"),
    ] = None,
    process_number: Annotated[NumberText | None, Query(description="Only those of this case")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait when there is no event yet")] = 0,
) -> Response:
    """The oldest first; kept for 30 days. With `wait` the answer comes with the next event, or when the time is over.
    A cursor stays good over restarts; use it with the same filters.
    """
    number = case_number(process_number, "query.process_number") if process_number is not None else None
    wanted = FeedFilter(0, tuple(types or ()), number, limit)
    if wait <= 0:
        return Json(await feed.page(caller.viewer, after, wanted))

    async def viewer() -> Viewer:
        return (await keys.again(caller, Scope.READ)).viewer

    with waits.admitted(caller.client_id):
        return Json(await feed.wait(viewer, after, wanted, wait))
