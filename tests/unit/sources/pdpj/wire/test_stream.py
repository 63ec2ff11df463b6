"""A document as it comes: its length, its limit and its pace, over a body that is scripted."""

from __future__ import annotations

from typing import cast

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.judgement import Listed
from sources.errors import DocumentTooLarge, EmptyBody, ShortBody, SourceError, SourceTimeout
from sources.pdpj.wire.body import AnswerBody
from sources.pdpj.wire.stream import DocumentStream, Pace, StreamLimits

LIMITS = StreamLimits(max_bytes=100_000, min_bytes_per_second=1_000, pace_seconds=2.0)
PDF = b"%PDF-1.7 " + b"x" * 5_000


class Scripted:
    """Gives these pieces; each takes ``seconds`` of the clock that :meth:`now` tells."""

    def __init__(self, *pieces: bytes, length: int | None = None, seconds: float = 0.0) -> None:
        self.length = length
        self.received = 0
        self._pieces = list(pieces)
        self._seconds = seconds
        self._now = 0.0

    def now(self) -> float:
        return self._now

    async def read(self) -> bytes:
        self._now += self._seconds
        piece = self._pieces.pop(0) if self._pieces else b""
        self.received += len(piece)
        return piece


async def read(body: Scripted, limits: StreamLimits = LIMITS) -> bytes:
    response = httpx.Response(200, headers={"content-type": "application/pdf"})
    stream = await DocumentStream.open(response, cast(AnswerBody, body), limits, seconds=body.now)
    return b"".join([piece async for piece in stream.aiter_bytes()])


async def test_what_the_source_said_of_the_bytes_is_kept() -> None:
    headers = {"content-type": "application/pdf", "etag": '"7"', "content-disposition": "attachment; filename=a.pdf"}
    body = Scripted(PDF)
    stream = await DocumentStream.open(httpx.Response(200, headers=headers), cast(AnswerBody, body), LIMITS)
    assert stream.answer_headers == ("content-type: application/pdf", 'etag: "7"')


@given(st.lists(st.binary(min_size=1, max_size=3_000), max_size=20))
async def test_every_byte_comes_once_and_in_order(pieces: list[bytes]) -> None:
    whole = PDF + b"".join(pieces)
    assert await read(Scripted(PDF, *pieces, length=len(whole))) == whole
    assert await read(Scripted(PDF, *pieces)) == whole


@pytest.mark.parametrize("length", [len(PDF) + 1, 2 * len(PDF)])
async def test_a_body_that_ends_before_its_promised_length_is_not_whole(length: int) -> None:
    with pytest.raises(ShortBody):
        await read(Scripted(PDF, length=length))


async def test_a_body_without_a_byte_is_no_document() -> None:
    for length in (None, 0):
        with pytest.raises(EmptyBody):
            await read(Scripted(length=length))


async def test_a_document_over_the_limit_is_given_up_when_promised_and_when_it_grows() -> None:
    promised = Scripted(PDF, length=100_001)
    with pytest.raises(DocumentTooLarge):
        await read(promised)
    assert promised.received == 0
    growing = Scripted(PDF, *[b"x" * 10_000] * 1_000)
    with pytest.raises(DocumentTooLarge):
        await read(growing)
    assert growing.received <= 110_000


async def test_a_body_that_is_slower_than_allowed_is_given_up_within_the_stretch() -> None:
    slow = Scripted(PDF, *[b"x" * 900] * 50, seconds=1.0)
    with pytest.raises(SourceTimeout):
        await read(slow)
    assert slow.now() <= 8.0
    fast = Scripted(PDF, *[b"x" * 1_100] * 50, seconds=1.0)
    assert len(await read(fast)) == len(PDF) + 50 * 1_100


def test_only_the_time_over_which_the_pace_is_taken_counts() -> None:
    pace = Pace(1_000, 2.0)
    pace.note(1.9, 0)
    with pytest.raises(SourceTimeout):
        pace.note(0.2, 100)
    # What came fast before does not pay for what is slow now.
    unhurried = Pace(1_000, 2.0)
    unhurried.note(2.0, 1_000_000)
    with pytest.raises(SourceTimeout):
        unhurried.note(2.0, 1_000)


async def open_text(body: bytes, content_type: str) -> DocumentStream:
    response = httpx.Response(200, headers={"content-type": content_type})
    scripted = Scripted(body, length=len(body))
    return await DocumentStream.open(response, cast(AnswerBody, scripted), LIMITS, Listed("application/pdf", 9, "text"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Decisão: não há".encode(), "text/plain"),
        ("Decisão: não há".encode(), "text/plain; charset=iso-8859-1"),
        (orjson.dumps("Decisão: não há"), "application/json"),
        (b' "Decis\\u00e3o: n\\u00e3o h\\u00e1" ', "text/plain"),
    ],
)
async def test_a_text_is_the_text_whatever_it_comes_as(body: bytes, content_type: str) -> None:
    stream = await open_text(body, content_type)
    assert b"".join([piece async for piece in stream.aiter_bytes()]).decode() == "Decisão: não há"
    assert stream.content_type == "text/plain; charset=utf-8"
    assert stream.judgement.warnings == ()


@pytest.mark.parametrize("body", [b'{"error": "x"}', b'"broken', b'""', b"", b"<html><app-root>"])
async def test_what_is_no_text_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError):
        await open_text(body, "application/json")


async def test_controls_in_a_text_leave_it_a_text() -> None:
    stream = await open_text(b"Decis\xc3\xa3o\x00 de " + b"x" * 200 + b"\x1a", "text/plain")
    assert b"".join([piece async for piece in stream.aiter_bytes()])
    assert stream.content_type == "text/plain; charset=utf-8"


async def test_the_charset_is_that_of_the_whole_body() -> None:
    head = b"<html><p>" + b"x" * 70_000
    response = httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"})
    body = Scripted(head, "não".encode("latin-1"))
    stream = await DocumentStream.open(response, cast(AnswerBody, body), LIMITS)
    assert b"".join([piece async for piece in stream.aiter_bytes()])
    assert stream.content_type == "text/html; charset=iso-8859-1"
