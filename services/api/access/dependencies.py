"""What a route says of its caller: the key that it needs, and the scope of that key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer

from services.api.access.caller import Caller
from services.api.access.keys import ApiKeys
from services.api.access.stream_tokens import StreamTokens
from services.api.http.problems import InsufficientScope
from services.api.http.provided import parts_of, provided
from shared.domain.api_keys import Scope

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="Authorization: Bearer <api key>")
_header = APIKeyHeader(
    name="X-API-Key", auto_error=False, scheme_name="api_key", description="The same key, in a header of its own"
)

_token = APIKeyQuery(
    name="token", auto_error=False, scheme_name="stream_token", description="A token of POST /tokens/stream"
)

Tokens = Annotated[StreamTokens, Depends(provided(StreamTokens))]
"""The stream tokens of all clients."""
Keys = Annotated[ApiKeys, Depends(provided(ApiKeys))]
"""The keys of all clients."""


async def authenticated(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> None:
    """Find the caller of a request before anything else of the request is looked at. Raises Unauthorized."""
    # Not as a dependency of its own: what the framework does for one at each request takes longer than to find it.
    keys = parts_of(request.app).get(ApiKeys)
    request.state.caller = await keys.identify(bearer.credentials if bearer is not None else header)


async def authenticated_or_token(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
    token: Annotated[str | None, Depends(_token)],
    keys: Keys,
    tokens: Tokens,
) -> None:
    """As :func:`authenticated`, and without a key by a stream token in the address.

    Raises Unauthorized, and InsufficientScope when the token is for another case.
    """
    key = bearer.credentials if bearer is not None else header
    if key is not None or token is None:
        request.state.caller = await keys.identify(key)
        return
    holder = await tokens.identify(token)
    asked = request.path_params["numero"]
    if holder.process_number is not None and _digits(holder.process_number) != _digits(asked):
        raise InsufficientScope("this token is for another case")
    request.state.caller = holder.caller


def _digits(number: str) -> str:
    """What two spellings of a case number have in common."""
    return "".join(character for character in number if character.isdecimal())


def _requires(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    async def check(request: Request) -> Caller:
        # `authenticated` has found it: every route with a caller stands behind it (services/api/app.py).
        caller: Caller = request.state.caller
        caller.require(scope)
        return caller

    return check


Reader = Annotated[Caller, Depends(_requires(Scope.READ))]
"""A caller that may read."""
Downloader = Annotated[Caller, Depends(_requires(Scope.DOWNLOAD))]
"""A caller that may start downloads."""
Subscriber = Annotated[Caller, Depends(_requires(Scope.WEBHOOKS))]
"""A caller that may see and change its webhooks."""
Administrator = Annotated[Caller, Depends(_requires(Scope.ADMIN))]
"""A caller that may see the whole installation."""
