"""The routes of a case's lists, a page at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.api.access.dependencies import Reader
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import Number, SearchText
from services.api.http.problems import InvalidCursor, InvalidProcessNumberProblem, ProcessUnknown
from services.api.http.schemas import DocumentStatusName
from services.api.http.timestamps import Since
from services.api.processes.view.pages import MOST, DocumentFilter, Pages
from services.api.processes.view.schemas import DocumentPage, MovementPage, PartyPage

router = APIRouter(prefix="/processes", tags=["processes"])

# A cursor belongs to its list: each kind of text has a format of its own in the OpenAPI document.
_Next = Query(description="next_cursor of the page before")
DocumentCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-documents"})] | None, _Next]
MovementCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-movements"})] | None, _Next]
PartyCursor = Annotated[Annotated[str, Field(json_schema_extra={"format": "cursor-parties"})] | None, _Next]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Word = Annotated[SearchText | None, Query()]


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
    type_: Annotated[SearchText | None, Query(alias="type", description="The type's name or code")] = None,
    degree: Word = None,
    court: Word = None,
    since: Since = None,
    limit: Limit = 100,
    cursor: DocumentCursor = None,
) -> Response:
    """In the order of the case. A page is shorter than `limit` where its texts are very long; `next_cursor` is null
    only at the end.
    """
    assert since is None or isinstance(since, datetime)  # Since has made it one
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
