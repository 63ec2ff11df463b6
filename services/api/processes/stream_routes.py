"""The event stream of a case, and the tokens that a browser follows it with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from services.api.access.dependencies import Keys, Reader, Tokens, authenticated, authenticated_or_token
from services.api.access.stream_tokens import TooManyTokens
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.open_requests import CountedStream, Streams, TooManyStreams
from services.api.http.parameters import Number, case_number, only_known_parameters
from services.api.http.problems import InsufficientScope, InvalidProcessNumberProblem, ProcessUnknown, Unauthorized
from services.api.processes.follow.follower import Follower
from services.api.processes.view.schemas import StreamTokenBody, StreamTokenView
from shared.clock import rfc3339
from shared.domain.api_keys import Scope
from shared.domain.secrecy import Viewer

router = APIRouter(tags=["processes"])


@router.post(
    "/tokens/stream",
    status_code=201,
    response_model=None,
    dependencies=[Depends(authenticated), Depends(only_known_parameters)],
    responses={
        201: {"model": StreamTokenView, "description": "The token, shown once"},
        **described(InvalidProcessNumberProblem, TooManyTokens),
    },
    summary="A token for a browser to follow a case with",
)
async def create_stream_token(caller: Reader, tokens: Tokens, body: StreamTokenBody | None = None) -> Response:
    """A browser's EventSource sends no header: your server makes a token with its key and gives it to the page.

    `GET /processes/{numero}/events?token=…` then needs no key. The token works for five minutes, for no other route,
    and ends with the key; with `process_number` it is for that case alone. A stream that is open goes on.
    """
    wanted = body.process_number if body is not None else None
    number = case_number(wanted, "body.process_number") if wanted is not None else None
    made = await tokens.issue(caller, number)
    return Json({"token": made.token, "expires_at": rfc3339(made.expires_at), "process_number": number}, 201)


@router.get(
    "/processes/{numero}/events",
    response_model=None,
    dependencies=[Depends(authenticated_or_token), Depends(only_known_parameters)],
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The events"},
        204: {"description": "The job has ended and you have had its last event"},
        **described(InvalidProcessNumberProblem, ProcessUnknown, TooManyStreams),
    },
    summary="Follow a case live",
)
async def get_events(
    numero: Number,
    caller: Reader,
    keys: Keys,
    follower: Follower,
    streams: Streams,
    last_event_id: Annotated[str | None, Header(description="Where to go on")] = None,
) -> Response:
    """Server-Sent Events: `document` for each change of a document, `progress`, and `completed` at the end.

    In place of a key a token of `POST /tokens/stream` will do, as the parameter `token`.
    """
    sight = await follower.sight(caller.viewer, numero)
    if await follower.is_over(numero, sight, last_event_id):
        return Response(status_code=204)

    async def listener() -> Viewer | None:
        try:
            return (await keys.again(caller, Scope.READ)).viewer
        except (Unauthorized, InsufficientScope):
            return None

    request = streams.admit(caller.client_id)
    return CountedStream(
        follower.events(numero, last_event_id, listener),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    ).of(request)
