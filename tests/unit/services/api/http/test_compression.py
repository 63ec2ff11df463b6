"""Whole answers of text are compressed for who takes gzip; files, parts and streams never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.responses import StreamingResponse

from services.api.http.compression import SMALLEST_BYTES, GzipAnswers, accepts_gzip
from services.api.http.head import HeadAsGet

LARGE = b'{"names":["' + b"Peticao inicial " * 20_000 + b'"]}'


def world() -> Any:
    app = FastAPI()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 5_000
        yield b"y" * 5_000

    @app.get("/json")
    async def whole(size: int = len(LARGE)) -> Response:
        return Response(LARGE[:size], media_type="application/json", headers={"ETag": '"1"', "Vary": "Origin"})

    @app.get("/problem")
    async def problem() -> Response:
        return Response(LARGE, 404, media_type="application/problem+json")

    @app.get("/file")
    async def file() -> Response:
        return Response(LARGE, media_type="text/html", headers={"Accept-Ranges": "bytes", "ETag": '"1"'})

    @app.get("/archive")
    async def archive() -> Response:
        return Response(LARGE, media_type="application/zip")

    @app.get("/events")
    async def events() -> Response:
        return StreamingResponse(chunks(), media_type="text/event-stream")

    @app.get("/lines")
    async def lines() -> Response:
        return StreamingResponse(chunks(), media_type="text/plain")

    @app.get("/unchanged")
    async def unchanged() -> Response:
        return Response(status_code=304, headers={"ETag": '"1"'})

    return HeadAsGet(GzipAnswers(app))


async def ask(path: str, coding: str | None, method: str = "GET") -> httpx.Response:
    headers = {"Accept-Encoding": coding} if coding is not None else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world()), base_url="http://api") as client:
        del client.headers["accept-encoding"]
        async with client.stream(method, path, headers=headers) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
            if method == "HEAD":
                assert raw == b""
                return answer
            return httpx.Response(answer.status_code, headers=answer.headers, content=raw)


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip; q=0.000", False),
        ("gzip;q=much", False),
        ("br, deflate", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_is_used_when_the_client_takes_it(header: str, taken: bool) -> None:
    assert accepts_gzip(header) is taken


@pytest.mark.parametrize("path", ["/json", "/problem"])
async def test_a_large_answer_is_compressed_and_says_so(path: str) -> None:
    answer = await ask(path, "gzip, deflate, br")
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(LARGE) / 10
    assert answer.content == LARGE
    assert "accept-encoding" in answer.headers["vary"].lower()


async def test_a_strong_tag_becomes_a_weak_one_and_vary_keeps_what_it_had() -> None:
    plain, compressed = await ask("/json", None), await ask("/json", "gzip")
    assert (plain.headers["etag"], compressed.headers["etag"]) == ('"1"', 'W/"1"')
    assert "content-encoding" not in plain.headers and plain.content == LARGE
    assert plain.headers["vary"] == compressed.headers["vary"] == "Origin, Accept-Encoding"


async def test_head_has_the_head_of_the_compressed_get() -> None:
    got, head = await ask("/json", "gzip"), await ask("/json", "gzip", "HEAD")
    assert head.headers == got.headers and head.headers["content-encoding"] == "gzip"


async def test_a_short_answer_is_not_worth_it() -> None:
    answer = await ask(f"/json?size={SMALLEST_BYTES - 1}", "gzip")
    assert "content-encoding" not in answer.headers and len(answer.content) == SMALLEST_BYTES - 1
    assert "content-encoding" in (await ask(f"/json?size={SMALLEST_BYTES}", "gzip")).headers


@pytest.mark.parametrize("path", ["/file", "/archive", "/events", "/lines"])
async def test_files_and_streams_pass_as_they_are(path: str) -> None:
    answer = await ask(path, "gzip")
    assert "content-encoding" not in answer.headers
    assert len(answer.content) in {len(LARGE), 10_000}


async def test_304_says_that_the_coding_matters() -> None:
    answer = await ask("/unchanged", "gzip")
    assert answer.status_code == 304 and answer.headers["vary"] == "Accept-Encoding"
