"""Reads a receiver's answer within bounds: fed with bytes, it says what to do next. No sockets, no clock.

The protocol is h11's (RFC 9112). Before the head is complete a bound that is passed refuses the answer; after it, what
was read is enough, since the status is known: the rest is left unread and the connection is not used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import h11

MAX_ANSWER_BYTES: Final = 64 * 1024
"""Of the body, without its framing (docs/reference/limits.md, "Answers of webhook receivers")."""
MAX_HEAD_BYTES: Final = 32 * 1024
"""Of the status line and the headers, those of interim answers included."""
MAX_HEAD_LINES: Final = 256
MAX_INTERIM: Final = 16
"""Interim answers (1xx, RFC 9110, section 15.2)."""
MAX_FRAMING_BYTES: Final = 8 * 1024
"""Of chunk sizes, their extensions and trailers."""
MAX_READS: Final = 1024
"""Pieces in which an answer arrives."""
MAX_CHUNKS: Final = 1024
"""Pieces of the body."""
MAX_RETRY_AFTER: Final = 64
"""Characters of a Retry-After header; a longer one is none."""
_AT_ONCE: Final = 64
"""Events between two looks at the other connections: 64 chunks of one byte take about 1 ms."""


class AnswerBroken(Exception):
    """The other side closed early, did not speak HTTP/1.1, or its answer's head passes a bound."""


class CallPhase(StrEnum):
    """What an attempt is at. With ``_timeout`` behind it, the error code when the time ends there."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    SEND = "send"
    HEAD = "head"
    BODY = "body"


@dataclass(slots=True)
class ReceiverAnswer:
    """What came back so far; readable also after a time-out cut the rest."""

    phase: CallPhase = CallPhase.DNS
    status_code: int | None = None
    retry_after: str | None = None
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False


class ReadStep(StrEnum):
    """What the reader wants: more bytes, a turn for others, nothing more (the answer ended, or it is enough)."""

    READ = "read"
    YIELD = "yield"
    ENDED = "ended"
    ENOUGH = "enough"


class AnswerReader:
    """One answer. ``http`` has sent the request already.

    Feed it what ``step`` asks for, until that says ENDED or ENOUGH.
    """

    def __init__(self, http: h11.Connection, answer: ReceiverAnswer, *, max_body: int = MAX_ANSWER_BYTES) -> None:
        self._http = http
        self._answer = answer
        self._max_body = max_body
        self._reads = 0
        self._received = 0
        self._head = 0
        self._lines = 0
        self._tail = b""
        self._interim = 0
        self._chunks = 0

    def feed(self, data: bytes) -> None:
        """Bytes as they came; none at all means that the other side has closed. Raises AnswerBroken."""
        self._reads += 1
        self._received += len(data)
        if self._answer.status_code is None:
            self._count_lines(data)
        self._http.receive_data(data)

    def step(self) -> ReadStep:
        """Look at what was fed, at most 64 events, and say what to do next. Raises AnswerBroken."""
        try:
            return self._step()
        except h11.RemoteProtocolError as error:
            raise AnswerBroken("the answer is not HTTP/1.1, or it ended early") from error

    def _step(self) -> ReadStep:
        for _ in range(_AT_ONCE):
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return self._wants_more()
            if isinstance(event, h11.InformationalResponse):
                self._interim += 1
                if self._interim > MAX_INTERIM:
                    raise AnswerBroken(f"more than {MAX_INTERIM} interim (1xx) answers")
                self._head_within_bounds()
            elif isinstance(event, h11.Response):
                self._begin(event)
            elif isinstance(event, h11.Data):
                if self._is_enough(event.data):
                    return ReadStep.ENOUGH
            elif isinstance(event, h11.EndOfMessage):
                self._answer.complete = True
                return ReadStep.ENDED
            else:
                raise AnswerBroken("the connection was closed before the answer")
        return ReadStep.YIELD

    def _count_lines(self, data: bytes) -> None:
        """Before they are read: to read thousands of headers takes longer than others should wait."""
        text = self._tail + data
        ends = [end + 1 for end in (text.find(b"\n\r\n"), text.find(b"\n\n")) if end >= 0]
        self._lines += text.count(b"\n", len(self._tail), min(ends, default=len(text)))
        self._tail = text[-2:]
        if self._lines > MAX_HEAD_LINES:
            raise AnswerBroken(f"the answer's head has more than {MAX_HEAD_LINES} lines")

    def _begin(self, response: h11.Response) -> None:
        self._head_within_bounds()
        self._head = self._received - len(self._http.trailing_data[0])
        self._answer.phase = CallPhase.BODY
        self._answer.status_code = response.status_code
        for name, value in response.headers:
            if name == b"retry-after" and len(value) <= MAX_RETRY_AFTER:
                self._answer.retry_after = value.decode("latin-1")

    def _is_enough(self, data: bytes) -> bool:
        body = self._answer.body
        body += data[: self._max_body - len(body)]
        self._chunks += 1
        if len(body) < self._max_body and self._chunks < MAX_CHUNKS:
            return False
        self._answer.complete = True
        return True

    def _head_within_bounds(self) -> None:
        if self._received - len(self._http.trailing_data[0]) > MAX_HEAD_BYTES:
            raise AnswerBroken(f"the answer's head has more than {MAX_HEAD_BYTES} bytes")

    def _wants_more(self) -> ReadStep:
        if self._answer.status_code is None:
            self._head_within_bounds_unread()
            return ReadStep.READ
        framing = self._received - self._head - len(self._answer.body)
        if framing <= MAX_FRAMING_BYTES and self._reads < MAX_READS:
            return ReadStep.READ
        self._answer.complete = True
        return ReadStep.ENOUGH

    def _head_within_bounds_unread(self) -> None:
        """What was received and is not a whole head yet counts too."""
        if self._received > MAX_HEAD_BYTES:
            raise AnswerBroken(f"the answer's head has more than {MAX_HEAD_BYTES} bytes")
        if self._reads >= MAX_READS:
            raise AnswerBroken(f"the answer's head came in more than {MAX_READS} pieces")
