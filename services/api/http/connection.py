"""One connection of a client: uvicorn's, with a bound on everything that comes in, from the first byte on.

The parser keeps whatever it is given until a request's head is whole, so bytes are counted before it gets them. What is
beyond a bound is answered with a problem document and the connection ends; what has begun to be answered ends first.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.api.http.bounds import PIPELINED, RequestBounds
from services.api.http.problems import Problem
from services.api.http.refusals import MalformedRequest, RequestTimeout, TooManyConnections, raw_answer
from services.api.http.request_counter import PIECE_BYTES, RequestCounter
from services.api.http.timer import LoopTimer
from services.api.metrics import ApiMetrics

_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 1_048_576
"""What is still taken, and thrown away, behind a refusal: a connection closed with bytes unread loses its answer."""


class BoundedConfig(uvicorn.Config):
    """uvicorn's configuration with what :class:`BoundedConnection` needs."""

    def __init__(self, app: Any, bounds: RequestBounds, metrics: ApiMetrics, **options: Any) -> None:
        super().__init__(
            app, http=BoundedConnection, ws="none", timeout_keep_alive=math.ceil(bounds.idle_seconds), **options
        )
        self.bounds = bounds
        self.metrics = metrics
        self.unanswered: dict[BoundedConnection, None] = {}
        """Connections without a whole request, the longest waiting first: they make room for new ones."""


class BoundedConnection(HttpToolsProtocol):
    """One connection; see :class:`RequestBounds`.

    The public methods are those of uvicorn's protocol, with the same names: each counts, and then does as uvicorn does.
    Which members of it are used, and what an upgrade must look at, is in docs/adr/0022-private-members-of-libraries.md.
    """

    config: BoundedConfig

    def __init__(self, config: BoundedConfig, *given: Any, **options: Any) -> None:
        super().__init__(config, *given, **options)
        self._bounds = config.bounds
        self._incoming = RequestCounter(config.bounds)
        self._active: RequestResponseCycle | None = None
        self._is_over = False
        self._left_to_drop = 0
        self._deadline = LoopTimer(self.loop)
        self._deadline_part = 0
        self._stalled = LoopTimer(self.loop)

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline.set(self._bounds.head_seconds, self._on_deadline)
        if len(self.connections) > self._bounds.connections:
            self._make_room()
        if not self._is_over:
            self.config.unanswered[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.config.unanswered.pop(self, None)
        self._deadline.clear()
        self._stalled.clear()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            self._drop(len(data))
            return
        for start in range(0, len(data), PIECE_BYTES):
            self._parse(data if len(data) <= PIECE_BYTES else data[start : start + PIECE_BYTES])
            if self._is_over or self.transport.is_closing():
                return
        self._watch_time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled.set(self._bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled.clear()

    # What the parser calls. What is raised here comes out of feed_data as an HttpParserError.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._incoming.begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._incoming.address(len(self.url))

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too: nobody reads them.
        if self._incoming.is_in_head:
            self._incoming.field(name, value)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._incoming.length(self.headers)
        if len(self.pipeline) >= PIPELINED:
            self._incoming.refuse(MalformedRequest(f"at most {PIPELINED} requests may wait for another's answer"))
        super().on_headers_complete()
        self._incoming.end_head()

    def on_body(self, body: bytes) -> None:
        self._incoming.body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._incoming.end()
        self.config.unanswered.pop(self, None)

    # What uvicorn calls.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_unread()
        elif self._incoming.is_between and not self.pipeline:
            self.config.unanswered[self] = None

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active = cycle
        super()._start_asgi_task(cycle, app)

    # Bytes and time.

    def _parse(self, piece: bytes) -> None:
        incoming = self._incoming
        part = incoming.part
        try:
            self.parser.feed_data(piece)
            incoming.piece(len(piece), part)
        except (httptools.HttpParserError, Problem):
            self._refuse(incoming.refusal or MalformedRequest("the request breaks the rules of HTTP/1.1"))
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here: the request is answered as what it is, and nothing comes behind it.
            self._is_over = True
            self._deadline.clear()
            self.cycle.keep_alive = False

    def _watch_time(self) -> None:
        """Each part of a request has its time from its beginning on, however its bytes trickle in."""
        incoming = self._incoming
        if incoming.is_between:
            # Until the first request begins, the time of the connection's beginning counts.
            if incoming.part:
                self._deadline.clear()
        elif not self._deadline.is_set or self._deadline_part != incoming.part:
            self._deadline_part = incoming.part
            self._deadline.set(incoming.seconds, self._on_deadline)

    def _on_deadline(self) -> None:
        incoming = self._incoming
        if incoming.is_between:
            self._end()
        elif not incoming.is_in_head and self.cycle is not self._active:
            # It waits for the answer to another request, and so do its bytes.
            self._deadline.set(incoming.seconds, self._on_deadline)
        else:
            part = "head" if incoming.is_in_head else "body"
            self._refuse(RequestTimeout(f"the request's {part} has to arrive within {incoming.seconds:g} s"))

    # Ends.

    def _make_room(self) -> None:
        oldest = next(iter(self.config.unanswered), None)
        if oldest is None:
            self._refuse(TooManyConnections(headers={"Retry-After": "2"}))
        else:
            self.config.metrics.refused.labels("evicted").inc()
            self.config.unanswered.pop(oldest)
            oldest._end()

    def _refuse(self, problem: Problem) -> None:
        """Answer with ``problem`` and end the connection; let an answer that has begun, or is due before, end first."""
        self._is_over = True
        self._deadline.clear()
        self.config.unanswered.pop(self, None)
        self.config.metrics.refused.labels(problem.code).inc()
        active = self._active
        if active is not None and not active.response_complete:
            if self._incoming.is_in_head or self.cycle is not active:
                self._end_behind(active)
                return
            if active.response_started:
                self.transport.close()
                self._end_unread()
                return
            active.disconnected = True
            active.message_event.set()
        self._unset_keepalive_if_required()
        path = getattr(self, "url", b"").partition(b"?")[0].decode("ascii", "replace")
        self.transport.write(raw_answer(problem, path))
        self._linger()

    def _end_behind(self, last: RequestResponseCycle) -> None:
        """End the connection after the answers to the requests that came whole before this one."""
        if self.pipeline and not self._incoming.is_in_head:
            self.pipeline.popleft()
        if self.pipeline:
            last = self.pipeline[0][0]
        last.keep_alive = False
        self._left_to_drop = _LINGER_BYTES
        self.flow.resume_reading()

    def _linger(self) -> None:
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._left_to_drop = _LINGER_BYTES
        self.flow.resume_reading()
        self._deadline.set(_LINGER_SECONDS, self.transport.abort)

    def _drop(self, count: int) -> None:
        if self._left_to_drop:
            self._left_to_drop -= count
            if self._left_to_drop <= 0:
                self.transport.abort()

    def _end(self) -> None:
        """Close a connection that nobody waits at; at once when its client does not take what it was sent."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _end_unread(self) -> None:
        """A closing transport waits for its client to take the answer: not for ever."""
        if self.transport.get_write_buffer_size() and not self._stalled.is_set:
            self._stalled.set(self._bounds.write_seconds, self.transport.abort)
