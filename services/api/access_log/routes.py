"""The route of the access log."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from services.api.access.dependencies import Administrator
from services.api.access_log.history import AccessFilter, AccessReads
from services.api.access_log.schemas import AccessPage
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import NumberText, SearchText, case_number
from services.api.http.problems import InvalidCursor, InvalidProcessNumberProblem
from services.api.http.timestamps import timestamp_of

router = APIRouter(tags=["system"])

AccessSince = Annotated[
    datetime | date | None,
    BeforeValidator(timestamp_of),
    Query(description="Only what was read then or later; a date begins at midnight UTC"),
]
AccessCursor = Annotated[str, Field(json_schema_extra={"format": "cursor-access"})]


@router.get(
    "/access-log",
    response_model=None,
    responses={
        200: {"model": AccessPage, "description": "A page of it"},
        **described(InvalidProcessNumberProblem, InvalidCursor),
    },
    summary="Who read what",
)
async def get_access_log(
    caller: Administrator,
    history: AccessReads,
    numero: Annotated[NumberText | None, Query(description="Only what was read of this case")] = None,
    client: Annotated[SearchText | None, Query(description="Only what it read")] = None,
    since: AccessSince = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[AccessCursor | None, Query(description="next_cursor of the page before")] = None,
) -> Response:
    """For operators (scope `admin`): every answer that had something of a case, the newest first.

    A row is committed before its answer leaves, and kept for AUTOS_ACCESS_LOG_DAYS, also when the case is deleted.
    """
    assert since is None or isinstance(since, datetime)  # timestamp_of has made it one
    number = case_number(numero, "query.numero") if numero is not None else None
    return Json(await history.page(AccessFilter(number, client, since, cursor, limit)))
