"""Answers compressed by gzip for clients that say they take it (RFC 9110, sections 8.4.1.3 and 12.5.3).

Only whole answers of text are: JSON, problems, pages, metrics. Files, archives and event streams pass as they are: most
documents hardly compress, an archive is of documents, and an event has to arrive at once. An attack that guesses a
secret from the length of an answer (BREACH) needs the secret beside what the attacker wrote: no answer of the API holds
a key beside the text of a request, and the one with a client's webhook secret holds nothing of its request.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.preferences import weights

SMALLEST_BYTES: Final = 1_024
"""A shorter answer fits into one packet anyway."""
_THREAD_BYTES: Final = 65_536
"""From here on a thread compresses: 4 MB take a tenth of a second."""
_LEVEL: Final = 5
_TEXTS: Final = frozenset(
    {"application/json", "image/svg+xml", "text/css", "text/html", "text/javascript", "text/plain"}
)
_NEVER_WITH: Final = ("content-encoding", "content-range", "accept-ranges", "content-disposition")
"""Headers of answers that are compressed already, a part of a file, or a file."""


class GzipAnswers:
    """Compresses whole answers of text. ``Vary`` says so to caches, also where an answer was not compressed.

    An answer is whole when its body comes in one message of SMALLEST_BYTES or more. A strong ETag becomes a weak one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = accepts_gzip(", ".join(Headers(scope=scope).getlist("accept-encoding")))
        held: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                could = may_compress(headers)
                if could or message["status"] == 304:
                    headers.add_vary_header("Accept-Encoding")
                if could and accepted:
                    held = message
                else:
                    await send(message)
                return
            if held is not None:
                start, held = held, None
                body: bytes = message.get("body", b"")
                if len(body) >= SMALLEST_BYTES and not message.get("more_body", False):
                    message = {**message, "body": await _compressed(body)}
                    _describe(MutableHeaders(scope=start), len(message["body"]))
                await send(start)
            await send(message)

        await self._app(scope, receive, sending)


def accepts_gzip(header: str) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip: named, or by ``*``, with a weight above 0."""
    given = weights(header)
    return given.get("gzip", given.get("x-gzip", given.get("*", 0.0))) > 0


def may_compress(headers: Headers) -> bool:
    """Whether an answer with these headers is text that is not a file of a case."""
    if any(name in headers for name in _NEVER_WITH):
        return False
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media in _TEXTS or media.endswith("+json")


async def _compressed(body: bytes) -> bytes:
    if len(body) < _THREAD_BYTES:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


def _describe(headers: MutableHeaders, length: int) -> None:
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(length)
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):
        # A strong tag is of the bytes (RFC 9110, section 8.8.1), and these are others.
        headers["ETag"] = f"W/{tag}"
