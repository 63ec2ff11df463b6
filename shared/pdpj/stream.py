"""A document as it comes: its head looked at before anybody gets a byte, its length and its pace watched to the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from time import monotonic

import httpx

from shared.pdpj.answers import Wanted, misplaced
from shared.pdpj.body import Body
from shared.pdpj.content import Content, ContentInspector, parse_content_disposition
from shared.pdpj.errors import DocumentTooLarge, ShortBody, SourceTimeout


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bytes, bytes a second, and the seconds over which the pace is taken."""

    max_bytes: int
    min_bytes_per_second: int
    pace_seconds: float

    def within(self, seconds: float | None) -> StreamLimits:
        """With the pace taken over so many seconds, where that is less."""
        return self if seconds is None or seconds >= self.pace_seconds else replace(self, pace_seconds=seconds)


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

    def __init__(self, response: httpx.Response, body: _PacedBody, head: list[bytes], content: Content) -> None:
        self.content = content
        self.content_type = content.content_type
        self.expected_length = body.length
        self._disposition = response.headers.get("content-disposition")
        self._body = body
        self._head = head

    @property
    def filename(self) -> str | None:
        """The name in the answer, made safe."""
        return parse_content_disposition(self._disposition)

    @classmethod
    async def open(
        cls,
        response: httpx.Response,
        body: Body,
        limits: StreamLimits,
        *,
        seconds: Callable[[], float] = monotonic,
    ) -> DocumentStream:
        """Read as much of a 200 answer with this body as shows what it is.

        Raises NotADocument (the shell page), EmptyBody, DocumentNotFound or UnexpectedAnswer (JSON in its place),
        DocumentTooLarge (already promised so), and as the wire does.
        """
        if body.length is not None and body.length > limits.max_bytes:
            raise DocumentTooLarge
        paced = _PacedBody(body, limits, seconds)
        inspector = ContentInspector(response.headers.get("content-type"))
        head: list[bytes] = []
        while not inspector.enough and (piece := await paced.read()):
            head.append(piece)
            inspector.feed(piece)
        if (error := misplaced(response.headers, b"".join(head), Wanted.DOCUMENT)) is not None:
            raise error
        return cls(response, paced, head, inspector.result())

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The whole body, once. Raises ShortBody, DocumentTooLarge, SourceTimeout and SourceUnavailable."""
        head, self._head = self._head, []
        for piece in head:
            yield piece
        while piece := await self._body.read():
            yield piece
        if self.expected_length is not None and self._body.received != self.expected_length:
            raise ShortBody


class _PacedBody:
    """A body with the time that each piece took noted, and its length held below the limit."""

    def __init__(self, body: Body, limits: StreamLimits, seconds: Callable[[], float]) -> None:
        self._body = body
        self._max_bytes = limits.max_bytes
        self._pace = Pace(limits.min_bytes_per_second, limits.pace_seconds)
        self._seconds = seconds
        self.length = body.length

    @property
    def received(self) -> int:
        return self._body.received

    async def read(self) -> bytes:
        began = self._seconds()
        piece = await self._body.read()
        if piece:
            self._pace.note(self._seconds() - began, len(piece))
            if self._body.received > self._max_bytes:
                raise DocumentTooLarge
        return piece
