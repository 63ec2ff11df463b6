"""The routes of deletions."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.api.access.dependencies import Administrator
from services.api.deletions.schemas import DeletionPage, DeletionView
from services.api.deletions.service import DeletionNotFound, Deletions
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import CursorText, Number
from services.api.http.problems import InvalidCursor, InvalidProcessNumberProblem, ProcessUnknown

router = APIRouter(tags=["deletions"])


@router.delete(
    "/processes/{numero}",
    response_model=None,
    responses={
        200: {"model": DeletionView, "description": "Nothing is left of the case; the certificate"},
        202: {"model": DeletionView, "description": "It is ordered, and goes on by itself; see `Location`"},
        **described(InvalidProcessNumberProblem, ProcessUnknown),
    },
    summary="Delete a case",
)
async def delete_process(
    numero: Number,
    caller: Administrator,
    deletions: Deletions,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end; then the answer is 202")] = 20,
) -> Response:
    """Removes everything that is kept of a case, for every client. From the moment it is ordered the case is as never
    asked for; its jobs are over, and no webhook is called for it any more. While it is pending, asking for the case is
    409 `case_being_deleted`.
    """
    view = await deletions.order(caller, numero, wait)
    status = 200 if view["status"] == "completed" else 202
    return Json(view, status, {"Location": f"/deletions/{view['deletion_id']}"})


@router.get(
    "/deletions",
    response_model=None,
    responses={200: {"model": DeletionPage, "description": "The deletions"}, **described(InvalidCursor)},
    summary="The deletions",
)
async def list_deletions(
    caller: Administrator,
    deletions: Deletions,
    cursor: Annotated[CursorText | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Newest first, those of the retention too. The hashes stand in each one's own answer."""
    return Json(await deletions.page(cursor, limit))


@router.get(
    "/deletions/{deletion_id}",
    response_model=None,
    responses={200: {"model": DeletionView, "description": "The certificate"}, **described(DeletionNotFound)},
    summary="The certificate of a deletion",
)
async def get_deletion(
    deletion_id: Annotated[uuid.UUID, Path(description="The deletion's id")],
    caller: Administrator,
    deletions: Deletions,
) -> Response:
    """What was removed, when, by whose order. It does not name the case: `case_digest` can be made again by whoever has
    its number and the nonce.
    """
    return Json(await deletions.show(str(deletion_id)))
