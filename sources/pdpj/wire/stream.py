"""A document as it comes: its head looked at before anybody gets a byte, its length and its pace watched to the end."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sources.content.answer_headers import kept_headers
from sources.content.charsets import CharsetWatch
from sources.content.judgement import TAIL_BYTES, UNLISTED, Judgement, Listed, judge
from sources.content.recognise import Content, ContentInspector, is_json_text, parse_content_disposition
from sources.errors import DocumentTooLarge, EmptyBody, ShortBody, SourceTimeout, UnexpectedAnswer
from sources.pdpj.answers import AskedFor, misplaced
from sources.pdpj.parse.fields import read_json
from sources.pdpj.wire.body import AnswerBody
from sources.pdpj.wire.pyreqwest_adapter import Answer


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bytes, bytes a second, and the seconds over which the pace is taken."""

    max_bytes: int
    min_bytes_per_second: int
    pace_seconds: float

    def within(self, seconds: float | None) -> StreamLimits:
        """With the pace taken over so many seconds, where that is less."""
        if seconds is None or seconds >= self.pace_seconds:
            return self
        return StreamLimits(self.max_bytes, self.min_bytes_per_second, seconds)


_JSON_TEXT_BYTES: Final = 16 * 1024 * 1024
"""A text that comes as a JSON string is held as a whole."""


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

    ``content_type`` has been checked against the bytes (its charset is that of the whole once all have come),
    ``expected_length`` is in bytes (None: not promised), ``filename`` is the name in the answer made safe (None: not
    given), ``answer_headers`` are those that are kept with the document, ``judgement`` is there when the last byte has
    come.
    """

    def __init__(self, response: Answer, body: _PacedBody, head: list[bytes], content: Content, listed: Listed) -> None:
        self.content = content
        self.content_type = content.content_type
        self.expected_length = body.length
        self.judgement = Judgement()
        self.answer_headers = kept_headers(response.headers)
        self._disposition = response.headers.get("content-disposition")
        self._body = body
        self._head = head
        self._listed = listed
        self._charset = CharsetWatch(*content.charsets_said) if content.is_text else None
        self._tail = b""

    @property
    def filename(self) -> str | None:
        """The name in the answer, made safe."""
        return parse_content_disposition(self._disposition)

    @classmethod
    async def open(
        cls,
        response: Answer,
        body: AnswerBody,
        limits: StreamLimits,
        listed: Listed = UNLISTED,
        *,
        seconds: Callable[[], float] = monotonic,
    ) -> DocumentStream:
        """Read as much of a 200 answer with this body as shows what it is; ``listed`` is what the case says of it.

        Raises NotADocument (a page), EmptyBody, DocumentNotFound, NoAccess or UnexpectedAnswer (JSON in its place),
        DocumentTooLarge (already promised so), and as the wire does.
        """
        if body.length is not None and body.length > limits.max_bytes:
            raise DocumentTooLarge
        paced = _PacedBody(body, limits, seconds)
        inspector = ContentInspector(response.headers.get("content-type"), listed.expected_type)
        head: list[bytes] = []
        while not inspector.enough and (piece := await paced.read()):
            head.append(piece)
            inspector.feed(piece)
        if listed.is_text and is_json_text(inspector.head):
            return await cls._of_json_text(response, paced, b"".join(head), listed)
        if (error := misplaced(response.headers, inspector.head, AskedFor.DOCUMENT)) is not None:
            raise error
        return cls(response, paced, head, inspector.result(), listed)

    @classmethod
    async def _of_json_text(cls, response: Answer, body: _PacedBody, head: bytes, listed: Listed) -> DocumentStream:
        """A text that comes as a JSON string, as the data lake declares it: the text itself."""
        whole = bytearray(head)
        while piece := await body.read():
            whole += piece
            if len(whole) > _JSON_TEXT_BYTES:
                raise DocumentTooLarge
        if body.length is not None and body.received != body.length:
            raise ShortBody
        try:
            text = read_json(bytes(whole))
        except ValueError:
            text = None
        if not isinstance(text, str):
            raise UnexpectedAnswer("the source answered JSON in place of a text")
        if not text.strip():
            raise EmptyBody
        body.length = None
        return cls(response, body, [text.encode("utf-8", "replace")], Content("text/plain", "utf-8", False), listed)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The whole body, once. Raises ShortBody, DocumentTooLarge, SourceTimeout and SourceUnavailable."""
        head, self._head = self._head, []
        for piece in head:
            self._note(piece)
            yield piece
        while piece := await self._body.read():
            self._note(piece)
            yield piece
        if self.expected_length is not None and self._body.received != self.expected_length:
            raise ShortBody
        if self._charset is not None:
            self.content = dataclasses.replace(self.content, charset=self._charset.result())
            self.content_type = self.content.content_type
        self.judgement = judge(self.content.media_type, self._body.received, self._tail, self._listed)

    def _note(self, piece: bytes) -> None:
        if self._charset is not None:
            self._charset.feed(piece)
        self._tail = (self._tail + piece)[-TAIL_BYTES:] if len(piece) < TAIL_BYTES else piece[-TAIL_BYTES:]


class _PacedBody:
    """A body with the time that each piece took noted, and its length held below the limit."""

    def __init__(self, body: AnswerBody, limits: StreamLimits, seconds: Callable[[], float]) -> None:
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
