"""HEAD is answered with the head of GET, and nobody makes the body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI, Response
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.http.head import HeadAsGet


class Routes:
    """Keeps the route that each request ended at, as the middleware around the application sees it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.seen: list[str | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        self.seen.append(getattr(scope.get("route"), "path", None))


class World:
    def __init__(self) -> None:
        self.chunks = 0
        app = FastAPI()

        @app.get("/cases/{number}")
        async def show(number: str) -> Response:
            return Response(number, headers={"ETag": '"1"'})

        @app.get("/stream")
        async def stream() -> Response:
            return StreamingResponse(self._chunks(), headers={"X-Kind": "stream"})

        @app.post("/cases")
        async def make() -> Response:
            return Response(status_code=202)

        self.routes = Routes(HeadAsGet(app))

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            self.chunks += 1
            yield b"x" * 1000

    async def ask(self, method: str, path: str) -> httpx.Response:
        transport: Any = httpx.ASGITransport(self.routes)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path)


async def test_head_has_the_head_of_get_and_no_body() -> None:
    world = World()
    got, head = await world.ask("GET", "/cases/17"), await world.ask("HEAD", "/cases/17")
    assert (head.status_code, head.content) == (200, b"") and got.content == b"17"
    assert head.headers == got.headers and head.headers["content-length"] == "2"
    # The middleware around it labels both by the same route.
    assert world.routes.seen == ["/cases/{number}"] * 2


async def test_head_of_an_endless_stream_ends_at_its_head() -> None:
    world = World()
    head = await world.ask("HEAD", "/stream")
    assert (head.status_code, head.content, head.headers["x-kind"]) == (200, b"", "stream")
    assert world.chunks <= 1


async def test_head_of_what_answers_no_get_is_refused_as_get_is() -> None:
    world = World()
    assert (await world.ask("HEAD", "/nothing")).status_code == 404
    assert (await world.ask("HEAD", "/cases")).status_code == 405
