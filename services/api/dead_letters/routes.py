"""The routes of dead letters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from services.api.access.dependencies import Administrator
from services.api.dead_letters.schemas import DeadLetterPage, DeadTopicName, ReplayView
from services.api.dead_letters.service import REPLAYED, DeadLetters
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.problems import DeadLetterNotFound, InvalidCursor, NotReplayableProblem

# A format alone, as of the other cursors: a wrong one is answered with a code of its own.
LetterCursor = Annotated[str, Field(json_schema_extra={"format": "cursor-dead-letters"})]

router = APIRouter(prefix="/dead-letters", tags=["system"])


@router.get(
    "",
    response_model=None,
    responses={200: {"model": DeadLetterPage, "description": "A page"}, **described(InvalidCursor)},
    summary="What was given up",
)
async def list_dead_letters(
    caller: Administrator,
    letters: DeadLetters,
    topic: Annotated[DeadTopicName | None, Query(description="Only those that lie there")] = None,
    cursor: Annotated[LetterCursor | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
) -> Response:
    """For operators (scope `admin`), newest first: documents, jobs and webhooks whose attempts are used up, records
    that could not be read or applied, and events that the broker refused. Of all clients; contents are not shown.
    """
    return Json(await letters.page(topic, cursor, limit))


@router.post(
    "/{letter_id:path}/replay",
    status_code=202,
    response_model=None,
    responses={
        200: {"model": ReplayView, "description": "It was sent again before; nothing is done"},
        202: {"model": ReplayView, "description": "It will be tried again, as for the first time"},
        **described(DeadLetterNotFound, NotReplayableProblem),
    },
    summary="Send a dead letter again",
)
async def replay_dead_letter(
    letter_id: Annotated[str, Path(description="`id` of the list", examples=["document.dead/2/17"])],
    caller: Administrator,
    letters: DeadLetters,
) -> Response:
    """Asks for the work again, once for each letter: a repeat says so and does nothing. When it fails again that is
    another letter. A job that has ended keeps its end; its counters follow what becomes available.
    """
    view = await letters.replay(letter_id, caller)
    return Json(view, 202 if view["outcome"] == REPLAYED else 200)
