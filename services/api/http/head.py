"""HEAD on every address that answers GET (RFC 9110, section 9.3.2): the same head, without a byte of the body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _HeadSent(Exception):
    """Raised into whatever makes the body, once the head is sent: nobody wants the body."""


class HeadAsGet:
    """Carries out a HEAD as a GET up to the point where the body would begin, and ends it there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _HeadSent

        asked = dict(scope, method="GET")
        try:
            await self._app(asked, receive, sending)
        # Also in a group: several tasks send a stream.
        except* _HeadSent:
            pass
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]
