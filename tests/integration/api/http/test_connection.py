"""What a connection bounds before any key is looked at: real sockets, and an application that answers what it read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from services.api.http.bounds import ADDRESS_BYTES, HEADER_FIELDS, PARAMETERS, PIPELINED
from tests.integration.api.wire import GET, POST, Api, answer, serving
from tests.support import wait_until_async


def head_of(size: int) -> bytes:
    """A head whose fields count exactly ``size`` bytes."""
    left = size - len("host") - len("t") - 4 - len("x-a") - 4
    return GET + b"x-a: " + b"v" * left + b"\r\n\r\n"


HEADS: list[tuple[bytes, int, str | None]] = [
    (head_of(16383), 200, None),
    (head_of(16384), 200, None),
    (head_of(16385), 431, "request_head_too_large"),
    (head_of(3_000_000), 431, "request_head_too_large"),
    # Without an end, of one field and of many.
    (GET + b"x-a: " + b"v" * 3_000_000, 431, "request_head_too_large"),
    (GET + b"v" * 3_000_000, 431, "request_head_too_large"),
    (GET + b"a:b\r\n" * 500_000, 431, "request_head_too_large"),
    (GET + b"a:b\r\n" * (HEADER_FIELDS - 1) + b"\r\n", 200, None),
    (GET + b"a:b\r\n" * HEADER_FIELDS + b"\r\n", 431, "request_head_too_large"),
    (b"\r\n" * 500_000, 431, "request_head_too_large"),
    (b"GET /" + b"p" * (ADDRESS_BYTES - 1) + b" HTTP/1.1\r\nhost: t\r\n\r\n", 200, None),
    (b"GET /" + b"p" * ADDRESS_BYTES + b" HTTP/1.1\r\nhost: t\r\n\r\n", 414, "uri_too_long"),
    (b"GET /?" + b"p" * 3_000_000, 414, "uri_too_long"),
    (b"GET /?" + b"&a" * (PARAMETERS - 1) + b" HTTP/1.1\r\nhost: t\r\n\r\n", 200, None),
    (b"GET /?" + b"&a" * PARAMETERS + b" HTTP/1.1\r\nhost: t\r\n\r\n", 400, "too_many_parameters"),
    (b"X" * 3_000_000, 400, "malformed_request"),
    (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed_request"),
    (b"GET /\xff\xfe HTTP/1.1\r\nhost: t\r\n\r\n", 400, "malformed_request"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
    (b"CONNECT example.com:443 HTTP/1.1\r\nhost: t\r\n\r\n", 400, "malformed_request"),
]


async def test_a_head_has_its_bounds() -> None:
    async with serving() as api:
        for request, status, code in HEADS:
            api.read.clear()
            found, body = await api.ask(request)
            assert (found, body.get("code")) == (status, code), (request[:80], len(request), body)
            assert api.read == ([0] if status == 200 else []), (request[:80], len(request))
            # The next client is served as ever.
            assert (await api.ask(GET + b"\r\n"))[0] == 200


def chunked(*chunks: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    coded = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return POST + b"transfer-encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailers + b"\r\n"


BODIES: list[tuple[bytes, int, str | None]] = [
    (POST + b"content-length: 65536\r\n\r\n" + b"b" * 65536, 200, None),
    (POST + b"content-length: 65537\r\n\r\n" + b"b" * 65537, 413, "body_too_large"),
    (POST + b"content-length: 9999999999999999999\r\n\r\n" + b"b" * 3_000_000, 413, "body_too_large"),
    (POST + b"content-length: 1234567890123456789\r\n\r\n" + b"b" * 3_000_000, 413, "body_too_large"),
    # Nobody reads the body of a GET; it is bounded all the same.
    (GET + b"content-length: 99999999\r\n\r\n" + b"b" * 3_000_000, 413, "body_too_large"),
    (chunked(*[b"b" * 4096] * 16), 200, None),
    (chunked(*[b"b" * 4096] * 16, b"b"), 413, "body_too_large"),
    (chunked(*[b"b"] * 65536), 200, None),
    (chunked(*[b"b"] * 65537), 413, "body_too_large"),
    (chunked(b"b", extension=b";a=" + b"e" * 3_000_000), 413, "body_too_large"),
    (chunked(b"b", trailers=b"x-t: " + b"t" * 3_000_000), 413, "body_too_large"),
    (chunked(b"b", trailers=b"a:b\r\n" * 500_000), 413, "body_too_large"),
    (chunked(b"b", extension=b";a=1", trailers=b"x-t: 1\r\n"), 200, None),
    (POST + b"content-length: -1\r\n\r\nb", 400, "malformed_request"),
    (POST + b"content-length: 1, 1\r\n\r\nb", 400, "malformed_request"),
    (POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\nbb", 400, "malformed_request"),
    (
        POST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n",
        400,
        "malformed_request",
    ),
    (POST + b"transfer-encoding: gzip\r\n\r\nb", 400, "malformed_request"),
]


async def test_a_body_has_its_bounds_whatever_was_declared() -> None:
    async with serving() as api:
        for request, status, code in BODIES:
            found, body = await api.ask(request)
            assert (found, body.get("code")) == (status, code), (request[:80], len(request), body)
        assert all(size <= 65536 for size in api.read)


async def slowly(api: Api, start: bytes, drip: bytes) -> tuple[int, dict[str, Any]]:
    """The answer to a request whose bytes trickle in without an end."""
    reader, writer = await api.open()
    writer.write(start)
    answered = asyncio.create_task(answer(reader))
    try:
        while not answered.done():
            with contextlib.suppress(ConnectionError):
                writer.write(drip)
                await writer.drain()
            await asyncio.wait({answered}, timeout=0.05)
        return answered.result()
    finally:
        writer.close()


DRIPS = [
    (b"GET", b""),
    (GET, b"a:b\r\n"),
    (GET + b"x-a: ", b"v"),
    (POST + b"content-length: 50000\r\n\r\n", b"b"),
    (POST + b"content-length: 50000\r\n\r\n", b""),
    (POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nb\r\n"),
]


async def test_a_request_has_to_arrive_in_time_however_it_trickles() -> None:
    async with serving(head_seconds=0.4, body_seconds=0.4) as api:
        for status, problem in await asyncio.gather(*(slowly(api, start, drip) for start, drip in DRIPS)):
            assert (status, problem["code"]) == (408, "request_timeout")
        await wait_until_async(lambda: api.connections == 0)


async def test_a_connection_without_a_request_ends() -> None:
    async with serving(head_seconds=0.3, idle_seconds=1) as api:

        async def everything(sent: bytes) -> bytes:
            reader, writer = await api.open()
            writer.write(sent)
            async with asyncio.timeout(60):
                received = await reader.read()
            writer.close()
            return received

        nothing, lines, whole = await asyncio.gather(everything(b""), everything(b"\r\n"), everything(GET + b"\r\n"))
        assert nothing == lines == b"" and whole.startswith(b"HTTP/1.1 200")
        await wait_until_async(lambda: api.connections == 0)


async def test_one_more_connection_takes_the_place_of_the_one_that_waits_longest() -> None:
    async with serving(connections=3) as api:
        held_reader, held = await api.open()
        held.write(b"GET /hold HTTP/1.1\r\nhost: t\r\n\r\n")
        await wait_until_async(lambda: len(api.read) == 1)
        silent = [await api.open() for _ in range(2)]
        await wait_until_async(lambda: api.connections == 3)
        for _ in range(4):
            assert (await api.ask(GET + b"\r\n"))[0] == 200
        async with asyncio.timeout(60):
            assert await silent[0][0].read() == b""
        api.hold.set()
        assert (await answer(held_reader))[0] == 200
        for _, writer in [*silent, (held_reader, held)]:
            writer.close()


async def test_when_all_are_being_answered_one_more_is_told_so() -> None:
    async with serving(connections=2) as api:
        held = [await api.open() for _ in range(2)]
        for _, writer in held:
            writer.write(b"GET /hold HTTP/1.1\r\nhost: t\r\n\r\n")
        await wait_until_async(lambda: len(api.read) == 2)
        status, problem = await api.ask(GET + b"\r\n")
        assert (status, problem["code"]) == (503, "too_many_connections")
        api.hold.set()
        for reader, writer in held:
            assert (await answer(reader))[0] == 200
            writer.close()
        assert (await api.ask(GET + b"\r\n"))[0] == 200


async def test_pipelined_requests_are_answered_in_order_up_to_a_bound() -> None:
    async with serving() as api:
        reader, writer = await api.open()
        one = POST + b"content-length: %d\r\n\r\n%b"
        writer.write(b"".join(one % (size, b"b" * size) for size in range(1, PIPELINED + 2)))
        for size in range(1, PIPELINED + 2):
            assert await answer(reader) == (200, {"read": str(size)})
        writer.close()
        # Beyond it those that came first are answered, and the connection ends.
        reader, writer = await api.open()
        writer.write((GET + b"\r\n") * 20_000)
        for _ in range(PIPELINED + 1):
            assert (await answer(reader))[0] == 200
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                assert await reader.read() == b""
        writer.close()


async def test_an_answer_that_is_due_comes_whole_before_the_refusal_of_the_next_request() -> None:
    async with serving() as api:
        reader, writer = await api.open()
        writer.write(b"GET /hold HTTP/1.1\r\nhost: t\r\n\r\n")
        await wait_until_async(lambda: len(api.read) == 1)
        writer.write(GET + b"x-a: " + b"v" * 100_000)
        await writer.drain()
        registry, code = api.config.metrics.registry, {"code": "request_head_too_large"}
        await wait_until_async(lambda: registry.get_sample_value("autos_api_refused_connections_total", code) == 1)
        api.hold.set()
        assert (await answer(reader))[0] == 200
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_another_protocol_is_not_spoken_and_the_request_is_answered() -> None:
    async with serving() as api:
        for protocol in (b"websocket", b"h2c", b"nonsense"):
            await _ask_for(api, protocol)


async def _ask_for(api: Api, protocol: bytes) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: " + protocol + b"\r\nsec-websocket-key: x\r\n\r\n"
    reader, writer = await api.open()
    writer.write(GET + upgrade + b"\x81\x85" * 50_000)
    assert (await answer(reader))[0] == 200
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(60):
            assert await reader.read() == b""
    writer.close()


async def test_a_client_that_takes_nothing_of_its_answer_is_let_go() -> None:
    async with serving(write_seconds=0.3) as api:
        _, writer = await api.open()
        transport: Any = writer.transport
        transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nhost: t\r\n\r\n")
        await wait_until_async(lambda: len(api.read) == 1)
        await wait_until_async(lambda: api.connections == 0)
        writer.close()


async def test_an_expected_continue_is_told_to_those_whose_body_may_come() -> None:
    async with serving() as api:
        for length, first in ((5, b"HTTP/1.1 100 Continue"), (70_000, b"HTTP/1.1 413 ")):
            reader, writer = await api.open()
            writer.write(POST + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % length)
            async with asyncio.timeout(60):
                assert (await reader.readline()).startswith(first)
            writer.close()


async def test_a_pipelined_body_that_is_too_large_ends_the_connection_after_the_answers() -> None:
    async with serving() as api:
        reader, writer = await api.open()
        chunk = b"%x\r\n%b\r\n" % (70_000, b"b" * 70_000)
        writer.write((GET + b"\r\n") * 2 + POST + b"transfer-encoding: chunked\r\n\r\n" + chunk)
        assert [await answer(reader), await answer(reader)] == [(200, {"read": "0"})] * 2
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                rest = await reader.read()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_memory_does_not_grow_with_what_is_refused(resident: Callable[[], int]) -> None:
    async with serving() as api:
        await api.ask(GET + b"a:b\r\n" * 100_000)
        before = resident()
        for _ in range(5):
            await api.ask(GET + b"a:b\r\n" * 600_000)
        assert resident() - before < 30_000_000


@pytest.fixture
def resident() -> Callable[[], int]:
    psutil = pytest.importorskip("psutil")
    process = psutil.Process()
    return lambda: int(process.memory_info().rss)
