"""The routes of a case's lists, a page at a time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from services.api.access.dependencies import Reader
from services.api.http.answers import Json
from services.api.http.parameters import Number
from services.api.http.problems import InvalidCursor, InvalidProcessNumberProblem, ProcessUnknown, described
from services.api.http.schemas import DocumentStatusName
from services.api.processes.view.pages import MOST, DocumentFilter, Pages
from services.api.processes.view.schemas import DocumentPage, MovementPage, PartyPage

router = APIRouter(prefix="/processes", tags=["processes"])

# A cursor belongs to its list: each kind of text has a format of its own in the OpenAPI document.
_Next = Query(description="next_cursor of the page before")
DocumentCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-documents"})] | None, _Next]
MovementCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-movements"})] | None, _Next]
PartyCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-parties"})] | None, _Next]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Word = Annotated[str | None, Query(min_length=1, max_length=200)]


def _since(value: object) -> object:
    """The moment of a date, or of a date and time, in UTC: PostgreSQL takes no offset of 16 hours or more.

    A date begins at midnight UTC. Raises ValueError, also for numbers, which would count as seconds since 1970.
    """
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("use a date as in 2024-05-31, or a date and time as in 2024-05-31T10:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except ValueError:
        if len(value) == len("2024-05-31"):
            return value  # which the framework refuses, and says why
        raise
    except OverflowError:
        raise ValueError("this time is outside of the calendar") from None


_KNOWN = described(InvalidProcessNumberProblem, ProcessUnknown, InvalidCursor)


@router.get(
    "/{numero}/documents",
    response_model=None,
    responses={200: {"model": DocumentPage, "description": "A page of documents"}, **_KNOWN},
    summary="The documents of a case, page by page",
)
async def list_documents(
    numero: Number,
    caller: Reader,
    pages: Pages,
    status: Annotated[DocumentStatusName | None, Query(description="Only those with this status")] = None,
    type_: Annotated[
        str | None, Query(alias="type", min_length=1, max_length=200, description="The type's name or code")
    ] = None,
    degree: Word = None,
    court: Word = None,
    since: Annotated[
        datetime | date | None,
        BeforeValidator(_since),
        Query(description="Only those filed then or later; a date begins at midnight UTC"),
    ] = None,
    limit: Limit = 100,
    cursor: DocumentCursor = None,
) -> Response:
    """In the order of the case. A page is shorter than `limit` where its texts are very long; `next_cursor` is null
    only at the end.
    """
    assert since is None or isinstance(since, datetime)  # _since has made it one
    wanted = DocumentFilter(status, type_, degree, court, since, cursor, limit)
    return Json(await pages.documents(caller.viewer, numero, wanted))


@router.get(
    "/{numero}/movements",
    response_model=None,
    responses={200: {"model": MovementPage, "description": "A page of movements"}, **_KNOWN},
    summary="The movements of a case, page by page",
)
async def list_movements(
    numero: Number, caller: Reader, pages: Pages, limit: Limit = 100, cursor: MovementCursor = None
) -> Response:
    """The newest first. A cursor stays right while the source adds movements."""
    return Json(await pages.movements(caller.viewer, numero, cursor, limit))


@router.get(
    "/{numero}/parties",
    response_model=None,
    responses={200: {"model": PartyPage, "description": "A page of parties"}, **_KNOWN},
    summary="The parties of a case, page by page",
)
async def list_parties(
    numero: Number, caller: Reader, pages: Pages, limit: Limit = 100, cursor: PartyCursor = None
) -> Response:
    """In the source's order."""
    return Json(await pages.parties(caller.viewer, numero, cursor, limit))
