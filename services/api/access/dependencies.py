"""What a route says of its caller: the key that it needs, and the scope of that key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from services.api.access.caller import Caller
from services.api.access.keys import ApiKeys
from services.api.http.provided import provided
from shared.domain.api_keys import Scope

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="Authorization: Bearer <api key>")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="api_key")

Keys = Annotated[ApiKeys, Depends(provided(ApiKeys))]
"""The keys of all clients."""


async def authenticated(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
    keys: Keys,
) -> None:
    """Find the caller of a request before anything else of the request is looked at. Raises Unauthorized."""
    request.state.caller = await keys.identify(bearer.credentials if bearer is not None else header)


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
