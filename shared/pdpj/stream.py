"""A document as it comes: its head looked at before anybody gets a byte, its length and its pace watched to the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Self

import httpx

from shared.pdpj.answers import Wanted, misplaced
from shared.pdpj.content import Content, ContentInspector, parse_content_disposition
from shared.pdpj.errors import DocumentTooLarge, ShortBody, SourceTimeout


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bytes, bytes a second, and the seconds over which the pace is taken."""

    max_bytes: int
    min_bytes_per_second: int
    pace_seconds: float


class Pace:
    """A body may be as large as it likes, but it must get on: so many bytes over each stretch of waiting.

    Only the time spent waiting for the source counts, not that of the one who stores the bytes.
    """

    def __init__(self, min_bytes_per_second: int, stretch: float) -> None:
        self._wanted = min_bytes_per_second
        self._stretch = stretch
        self._waited = 0.0
        self._received = 0

    def note(self, waited: float, received: int) -> None:
        """``received`` bytes came after ``waited`` seconds. Raises SourceTimeout when that is too slow."""
        self._waited += waited
        self._received += received
        if self._waited >= self._stretch:
            if self._received < self._wanted * self._waited:
                raise SourceTimeout("the document comes too slowly")
            self._waited, self._received = 0.0, 0


class DocumentStream:
    """The content of one document; made by :meth:`open`.

    ``content_type`` has been checked against the first bytes, ``expected_length`` is in bytes (None: not promised),
    ``filename`` is the name in the answer made safe (None: not given).
    """

    def __init__(
        self,
        response: httpx.Response,
        body: AsyncGenerator[bytes, None],
        head: list[bytes],
        content: Content,
        limits: StreamLimits,
    ) -> None:
        self.content = content
        self.content_type = content.content_type
        self.expected_length = _promised(response)
        self.filename = parse_content_disposition(response.headers.get("content-disposition"))
        self._body = body
        self._head = head
        self._limits = limits

    @classmethod
    async def open(
        cls,
        response: httpx.Response,
        incoming: AsyncGenerator[bytes, None],
        limits: StreamLimits,
        *,
        seconds: Callable[[], float] = monotonic,
    ) -> DocumentStream:
        """Read as much of a 200 answer, whose body is ``incoming``, as shows what it is.

        Raises NotADocument (the shell page), EmptyBody, DocumentNotFound or UnexpectedAnswer (JSON in its place),
        DocumentTooLarge (already promised so), and as the wire does.
        """
        promised = _promised(response)
        if promised is not None and promised > limits.max_bytes:
            raise DocumentTooLarge
        body = _paced(incoming, Pace(limits.min_bytes_per_second, limits.pace_seconds), seconds)
        try:
            inspector = ContentInspector(response.headers.get("content-type"))
            head: list[bytes] = []
            while not inspector.enough and (piece := await anext(body, None)) is not None:
                head.append(piece)
                inspector.feed(piece)
            if (error := misplaced(response.headers, b"".join(head), Wanted.DOCUMENT)) is not None:
                raise error
            return cls(response, body, head, inspector.result(), limits)
        except BaseException:
            await body.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._body.aclose()

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The whole body, once. Raises ShortBody, DocumentTooLarge, SourceTimeout and SourceUnavailable."""
        received = 0
        head, self._head = self._head, []
        for piece in head:
            received += len(piece)
            yield piece
        async for piece in self._body:
            received += len(piece)
            if received > self._limits.max_bytes:
                raise DocumentTooLarge
            yield piece
        if self.expected_length is not None and received != self.expected_length:
            raise ShortBody


async def _paced(
    incoming: AsyncGenerator[bytes, None], pace: Pace, seconds: Callable[[], float]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(incoming) as body:
        while True:
            began = seconds()
            piece = await anext(body, None)
            if piece is None:
                return
            pace.note(seconds() - began, len(piece))
            yield piece


def _promised(response: httpx.Response) -> int | None:
    """Content-Length, where it is that of the bytes we read (not of a compressed form of them)."""
    value = response.headers.get("content-length", "")
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        return None
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
