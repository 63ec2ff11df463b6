"""HTTP/1.1 on the wire: one asyncio protocol that can also answer badly.

Not an ASGI server, for two reasons. A source that resets, hangs or cuts a body needs the transport, which ASGI hides.
And the simulator shares its cores with the product in the benchmarks: without a task, a scope and three messages for
each request, an answer of 100 kB costs a fraction.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Iterator
from typing import cast

import httptools

from autos.local.pdpj.bodies import SEGMENT_BYTES, Body, Segment
from autos.local.pdpj.exchange import Ending, Handler, Reply, Request
from autos.local.pdpj.heads import DEFECT_STATUS, head_of

_HIGH_WATER_BYTES = 1024 * 1024
_MAX_REQUEST_BYTES = 16 * 1024 * 1024
_LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


class HttpConnection(asyncio.Protocol):
    """One connection: requests are answered one after another, in order."""

    def __init__(self, handler: Handler, connections: set[HttpConnection]) -> None:
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._reply: Reply | None = None
        self._request: Request | None = None
        self._segments: Iterator[Segment] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = False
        self._sent = 0
        self._begin()

    # -- what came in -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:  # HttpParserUpgrade too: this server speaks HTTP/1.1 only
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()

    def _begin(self) -> None:
        self._url = b""
        self._authorization: str | None = None
        self._host = "127.0.0.1"
        self._body = b""

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 13 and name.lower() == b"authorization":
            self._authorization = value.decode("latin-1")
        elif len(name) == 4 and name.lower() == b"host":
            self._host = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _MAX_REQUEST_BYTES:
            self._transport.abort()

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("latin-1")
        keep_alive = self._parser.should_keep_alive()
        self._waiting.append(Request(method, path, query, self._authorization, self._body, keep_alive, self._host))
        if self._request is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._end_reply()
        self._request = None

    # -- what goes out ------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if not self._waiting or self._transport.is_closing():
            self._request = None
            return
        self._request = self._waiting.popleft()
        try:
            answer = self._handler(self._request)
        except Exception:  # noqa: BLE001 - the edge: a defect must be seen as one, not taken for a failure asked for
            answer = _defect(self._request)
        if isinstance(answer, Reply):
            self._schedule(answer)
        else:
            self._task = self._loop.create_task(self._await(answer))

    async def _await(self, answer: Awaitable[Reply]) -> None:
        try:
            reply = await answer
        except Exception:  # noqa: BLE001 - as above
            reply = _defect(self._request)
        self._task = None
        self._schedule(reply)

    def _schedule(self, reply: Reply) -> None:
        self._reply = reply
        if reply.delay > 0:
            self._timer = self._loop.call_later(reply.delay, self._start)
        else:
            self._start()

    def _start(self) -> None:
        reply, request = self._reply, self._request
        assert reply is not None
        assert request is not None
        self._timer = None
        self._sent = 0
        if reply.raw is not None:
            self._transport.write(reply.raw)
            self._transport.close()
            self._end_reply()
            return
        if reply.ending is not Ending.COMPLETE and reply.after_bytes is None:
            self._segments = iter(())
            self._finish(reply, request)
            return
        body = b"" if request.method == "HEAD" else reply.body
        head = head_of(reply, keep_alive=request.keep_alive)
        if reply.ending is Ending.COMPLETE and reply.bytes_per_second is None and len(body) <= SEGMENT_BYTES:
            # The common case: one gathered write, no iterator kept.
            self._sent = len(body)
            if isinstance(body, Body):
                self._transport.writelines([head, *body.segments()])
            else:
                self._transport.write(head + body)
            self._finish(reply, request)
            return
        self._transport.write(head)
        size = (
            SEGMENT_BYTES if reply.bytes_per_second is None else max(1, min(16_384, int(reply.bytes_per_second / 10)))
        )
        self._segments = _segments(body, reply.after_bytes, size)
        self._pump()

    def _pump(self) -> None:
        reply, request, segments = self._reply, self._request, self._segments
        if reply is None or request is None or segments is None:
            return
        self._timer = None
        while not self._paused:
            segment = next(segments, None)
            if segment is None:
                self._finish(reply, request)
                return
            self._sent += len(segment)
            self._transport.write(segment)
            if reply.bytes_per_second is not None:
                self._timer = self._loop.call_later(len(segment) / reply.bytes_per_second, self._pump)
                return

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._timer is None:
            self._pump()

    def _finish(self, reply: Reply, request: Request) -> None:
        self._segments = None
        match reply.ending:
            case Ending.HANG:
                return  # counted as in flight until the client goes away
            case Ending.RESET:
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                self._transport.abort()
            case Ending.CUT:
                self._transport.close()
            case Ending.COMPLETE:
                self._end_reply()
                if not request.keep_alive or reply.without_length:
                    self._transport.close()
                elif self._waiting:
                    self._loop.call_soon(self._next)
                else:
                    self._request = None
                return
        self._end_reply()

    def _end_reply(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and reply.done is not None:
            reply.done(self._sent)

    def close(self) -> None:
        """Close at once, whatever is under way (the end of the process)."""
        self._transport.abort()


def _segments(body: bytes | Body, limit: int | None, size: int) -> Iterator[Segment]:
    if isinstance(body, Body):
        return body.segments(limit, size)
    kept = body if limit is None else body[:limit]
    return (kept[at : at + size] for at in range(0, len(kept), size))


def _defect(request: Request | None) -> Reply:
    logging.getLogger(__name__).exception("simulator_defect route=%s", request.path if request else "")
    return Reply(DEFECT_STATUS)
