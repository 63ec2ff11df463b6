"""A slash at the end of an address is forgiven: the same route answers.

Without a redirect: behind a proxy that ends TLS it would lead to http, and many clients repeat a POST as a GET.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class ForgiveSlashes:
    """Takes the slashes from the end of the path before a route is looked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            # In place: what surrounds this reads the route from the same scope.
            scope["path"] = scope["path"].rstrip("/") or "/"
            if scope.get("raw_path"):
                scope["raw_path"] = scope["raw_path"].rstrip(b"/") or b"/"
        await self._app(scope, receive, send)
