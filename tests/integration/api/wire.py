"""A server on a real socket with a small application behind the edge, and the client's end of its connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.http.bounds import RequestBounds
from services.api.http.connection import BoundedConfig
from services.api.http.middleware import RequestEdge
from services.api.metrics import ApiMetrics
from tests.support import wait_until_async

# Times are long unless a test is about them.
BOUNDS = RequestBounds(
    body_bytes=65536,
    head_bytes=16384,
    head_seconds=300,
    body_seconds=300,
    idle_seconds=300,
    write_seconds=300,
    connections=50,
)
GET = b"GET /echo HTTP/1.1\r\nhost: t\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: t\r\n"


class Api:
    """A server with a small application behind the edge; ``read`` has what the application read of each body."""

    def __init__(self, bounds: RequestBounds, application: ASGIApp | None = None) -> None:
        self.bounds = bounds
        self.read: list[int] = []
        self.hold = asyncio.Event()
        metrics = ApiMetrics(CollectorRegistry())
        self.config = BoundedConfig(
            RequestEdge(application or self._app, metrics, bounds),
            bounds,
            metrics,
            log_config=None,
            lifespan="off",
            access_log=False,
        )
        self.server = uvicorn.Server(self.config)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more and scope["method"] == "POST":
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        self.read.append(size)
        if scope["path"] == "/hold":
            await self.hold.wait()
        body = b"x" * 20_000_000 if scope["path"] == "/large" else b"%d" % size
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, *pieces: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the problem (or what was read) of the first answer on a new connection."""
        reader, writer = await self.open()
        try:
            for piece in pieces:
                with contextlib.suppress(ConnectionError):
                    writer.write(piece)
                    await writer.drain()
            return await answer(reader)
        finally:
            writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
        body = await reader.readexactly(int(fields["content-length"]))
    status = int(head.split()[1])
    if status == 200:
        return status, {"read": body.decode()}
    assert fields["content-type"] == "application/problem+json" and fields["x-content-type-options"] == "nosniff"
    assert len(body) < 2000
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status and found["request_id"] == fields["x-request-id"]
    return status, found


@contextlib.asynccontextmanager
async def serving(application: ASGIApp | None = None, **bounds: Any) -> AsyncIterator[Api]:
    api = Api(replace(BOUNDS, **bounds), application)
    task = asyncio.create_task(api.server.serve(sockets=[api.listening]))
    try:
        await wait_until_async(lambda: api.server.started)
        yield api
    finally:
        api.hold.set()
        api.server.should_exit = api.server.force_exit = True
        await task
