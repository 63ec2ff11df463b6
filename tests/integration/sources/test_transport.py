"""The transport against a server that misbehaves by hand."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from pydantic import SecretStr

from sources.base import CourtSource
from sources.content.decoding import PIECE_BYTES
from sources.errors import NotReady, SourceError, SourceThrottled
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.client import build_source
from sources.pdpj.parse.documents import binary_path
from sources.pdpj.settings import PdpjSettings
from sources.pdpj.wire.body import SMALL_BYTES, SMALL_PIECE_BYTES
from sources.pdpj.wire.stream import DocumentStream
from tests.support import wait_until_async
from tests.tcp import tcp_server

NUMBER = "1000145-91.2023.8.26.0597"
PATH = binary_path(NUMBER, str(UUID(int=1)))
PDF = b"%PDF-1.7 " + b"x" * 5000

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Gives ``answer`` to every request; remembers the heads of requests and which connections are open."""

    port: int = 0
    answer: Answer | None = None
    requests: list[bytes] = field(default_factory=list)
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                assert self.answer is not None
                await self.answer(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def gives(self, *lines: str, body: bytes = b"") -> None:
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(head + body)

        self.answer = answer


Make = Callable[..., CourtSource]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with tcp_server(made.serve) as made.port:
        yield made
        await wait_until_async(lambda: made.open == 0)


@pytest.fixture
async def make(server: Server) -> AsyncIterator[Make]:
    sources: list[CourtSource] = []

    def make(**changes: object) -> CourtSource:
        settings = PdpjSettings(
            _env_file=None,
            **{  # type: ignore[arg-type]
                "pdpj_base_url": server.url,
                "pdpj_access_token": SecretStr("secret-token"),
                "pdpj_read_timeout": 1.0,
                "pdpj_connect_timeout": 1.0,
                **changes,
            },
        )
        sources.append(build_source(settings, credentials=build_credentials(settings)))
        return sources[-1]

    yield make
    for source in sources:
        await source.aclose()


async def read(source: CourtSource) -> bytes:
    async with source.open_document(PATH) as stream:
        return b"".join([piece async for piece in stream.aiter_bytes()])


async def code_of(reading: Awaitable[object]) -> str:
    with pytest.raises(SourceError) as raised:
        await reading
    return raised.value.code


def answering(server: Server, *heads: bytes) -> None:
    """Each request gets the next head, in bytes; a 200 has the PDF behind it."""
    left = list(heads)

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = left.pop(0)
        body = PDF if b" 200" in head else b""
        writer.write(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    server.answer = answer


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 Conclu\xeddo",
        b"HTTP/1.1 200 OK\r\nX-Sistema: informa\xe7\xe3o",
        b'HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="peti\xe7\xe3o.pdf"',
        b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf; name=\xe7",
        b"HTTP/1.1 200 OK\r\nX-A: \xff\r\nX-A: b\r\nX-B: c",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: s=\xe3",
        b"HTTP/1.1 200 OK\r\nDate: \xe1\r\nRetry-After: \xe1\r\nContent-Encoding: \xe1",
    ],
)
async def test_bytes_above_127_in_a_head_break_nothing(server: Server, make: Make, head: bytes) -> None:
    answering(server, head)
    assert await read(make()) == PDF


async def test_bytes_above_127_in_a_refusal_leave_its_meaning(server: Server, make: Make) -> None:
    answering(server, b"HTTP/1.1 429 Calma a\xed\r\nX-Motivo: limite atingido \xe0s 10h\r\nRetry-After: 7")
    with pytest.raises(SourceThrottled) as raised:
        await read(make())
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("location", ["/api/v2/conteudo/7", "../outro/binario", "{url}/fora?x=1", "?d=1"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_origin_is_followed(server: Server, make: Make, location: str, status: int) -> None:
    target = location.format(url=server.url).encode()
    answering(server, b"HTTP/1.1 %d Moved\r\nLocation: %s" % (status, target), b"HTTP/1.1 200 OK")
    assert await read(make()) == PDF
    first, second = server.requests
    assert first.split()[1] != second.split()[1]
    assert b"authorization: bearer secret-token" in second.lower()


@pytest.mark.parametrize(
    "location", [b"", b"http://[", b"\xe7", b"https://127.0.0.1:1/x", b"//other.example/x", b"javascript:x"]
)
async def test_a_redirect_that_leads_nowhere_is_no_document(server: Server, make: Make, location: bytes) -> None:
    answering(server, b"HTTP/1.1 302 Found\r\nLocation: " + location)
    assert await code_of(read(make())) == "unexpected_answer"
    assert len(server.requests) == 1


async def test_added_headers_follow_a_redirect_within_the_origin(server: Server, make: Make) -> None:
    answering(server, b"HTTP/1.1 302 Found\r\nLocation: /elsewhere", b"HTTP/1.1 200 OK")
    assert await read(make(pdpj_headers={"X-Gateway-Key": "k"}, pdpj_user_agent="Mozilla/5.0 (Test)")) == PDF
    assert [b"x-gateway-key: k\r\nauth" in head.lower() for head in server.requests] == [True, True]
    assert [b"user-agent: mozilla/5.0 (test)\r\n" in head.lower() for head in server.requests] == [True, True]


async def test_a_redirect_is_followed_once(server: Server, make: Make) -> None:
    answering(server, b"HTTP/1.1 302 Found\r\nLocation: /a", b"HTTP/1.1 302 Found\r\nLocation: /b", b"HTTP/1.1 200 OK")
    assert await code_of(read(make())) == "unexpected_answer"
    assert len(server.requests) == 2


async def test_a_document_that_is_being_prepared_is_asked_for_later(server: Server, make: Make) -> None:
    answering(server, b"HTTP/1.1 202 Accepted\r\nRetry-After: 3")
    with pytest.raises(NotReady) as raised:
        await read(make())
    assert raised.value.retry_after == 3


async def test_redirects_are_not_followed_and_the_token_stays_here(server: Server, make: Make) -> None:
    other = Server()
    async with tcp_server(other.serve) as other.port:
        other.gives("HTTP/1.1 200 OK", "Content-Length: 2", body=b"hi")
        server.gives("HTTP/1.1 302 Found", f"Location: {other.url}/x", "Content-Length: 0")
        assert await code_of(read(make())) == "unexpected_answer"
        assert other.requests == []


async def test_no_proxy_of_the_environment_is_used(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", body=PDF)
    assert await read(make()) == PDF


async def test_what_is_sent(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", body=PDF)
    await read(make())
    (head,) = server.requests
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == f"get /api/v2{PATH} http/1.1"
    assert "authorization: bearer secret-token" in lines
    assert "accept-encoding: identity" in lines
    assert not [line for line in lines if line.startswith(("cookie", "referer"))]
    assert len([line for line in lines if line.startswith("user-agent:")]) == 1


async def test_user_agent_and_added_headers_are_sent_with_every_request_to_the_source(
    server: Server, make: Make
) -> None:
    added = {"Accept-Language": "pt-BR", "Accept": "application/json, text/plain, */*"}
    source = make(pdpj_api="datalake", pdpj_user_agent="Mozilla/5.0 (Test)", pdpj_headers=added)
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", body=PDF)
    await read(source)
    await source.last_update(NUMBER)
    body = f'[{{"numeroProcesso":"{NUMBER}","tramitacoes":[{{"valorAcao":1}}]}}]'.encode()
    server.gives("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body)
    await source.fetch_case(NUMBER)
    assert len(server.requests) == 4
    for head in server.requests:
        lines = head.decode().lower().split("\r\n")
        assert [line for line in lines if line.startswith("user-agent")] == ["user-agent: mozilla/5.0 (test)"]
        assert [line for line in lines if line.startswith("accept:")] == ["accept: application/json, text/plain, */*"]
        assert lines.count("accept-language: pt-br") == 1
        assert lines.count("authorization: bearer secret-token") == 1


async def test_the_token_endpoint_gets_none_of_the_added_headers(server: Server, make: Make) -> None:
    tokens = b'{"access_token":"new-token","expires_in":60}'
    server.gives("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(tokens)}", body=tokens)
    source = make(
        pdpj_access_token=None,
        pdpj_token_url=f"{server.url}/token",
        pdpj_client_id="id",
        pdpj_user_agent="Mozilla/5.0 (Test)",
        pdpj_headers={"X-Gateway-Key": "secret-of-a-gateway"},
    )
    with pytest.raises(SourceError):
        await read(source)
    asked, sent = (head.decode().lower() for head in server.requests[:2])
    assert asked.startswith("post /token ")
    assert "x-gateway-key" not in asked
    assert "user-agent: autos/" in asked
    assert "x-gateway-key: secret-of-a-gateway" in sent
    assert "authorization: bearer new-token" in sent


@pytest.mark.parametrize("http2", [False, True])
async def test_http2_is_offered_when_it_is_set(http2: bool, make: Make) -> None:
    hello = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beginning = await reader.read(65536)
        if not hello.done():
            hello.set_result(beginning)
        writer.close()

    async with tcp_server(listen) as port:
        source = make(pdpj_base_url=f"https://localhost:{port}", pdpj_http2=http2)
        assert await code_of(read(source)) == "source_unavailable"
        # The names of protocols in TLS's first message, each after its length (RFC 7301).
        assert (b"\x02h2" in await hello) is http2


async def test_connections_beyond_the_pool_are_not_kept(server: Server, make: Make) -> None:
    both = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 2:
            both.set()
        await both.wait()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode() + PDF)

    server.answer = answer
    source = make(pdpj_pool_size=1)
    assert list(await asyncio.gather(read(source), read(source))) == [PDF, PDF]
    await wait_until_async(lambda: server.open == 1)


async def test_cookies_are_not_kept(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", "Set-Cookie: a=b; Path=/", body=PDF)
    source = make()
    await read(source)
    await read(source)
    assert b"cookie" not in server.requests[1].lower()


async def test_compressed_metadata_is_read(server: Server, make: Make) -> None:
    body = gzip.compress(f'[{{"numeroProcesso":"{NUMBER}","tramitacaoAtual":{{"valorAcao":1}}}}]'.encode())
    server.gives(
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        f"Content-Length: {len(body)}",
        body=body,
    )
    assert (await make().fetch_case(NUMBER)).process_number == NUMBER


async def test_metadata_that_blows_up_is_refused(server: Server, make: Make) -> None:
    body = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
    server.gives(
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        f"Content-Length: {len(body)}",
        body=body,
    )
    assert await code_of(make(pdpj_max_metadata_bytes=1_000_000).fetch_case(NUMBER)) == "case_too_large"


async def test_document_that_never_ends_is_refused(server: Server, make: Make) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(chunk)
            await writer.drain()

    server.answer = answer
    assert await code_of(read(make(pdpj_max_document_bytes=1_000_000))) == "document_too_large"


async def test_compressed_document_is_stored_as_what_it_is(server: Server, make: Make) -> None:
    body = gzip.compress(PDF)
    server.gives("HTTP/1.1 200 OK", "Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)
    async with make().open_document(PATH) as stream:
        assert isinstance(stream, DocumentStream)
        assert stream.expected_length is None
        assert b"".join([piece async for piece in stream.aiter_bytes()]) == PDF


async def test_encoding_that_was_not_asked_for_is_refused(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 200 OK", "Content-Encoding: br", "Content-Length: 4", body=b"abcd")
    assert await code_of(read(make())) == "unexpected_answer"


@pytest.mark.parametrize("end", [b"5\r\nab", b"5\r\nabcde\r\n", b"zz\r\n"])
async def test_chunked_body_that_stops_short(server: Server, make: Make, end: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n%PDF-1.7\r\n" + end)
        await writer.drain()
        raise ConnectionError

    server.answer = answer
    assert await code_of(read(make())) == "short_body"


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("size", [5_000, 2_000_000])
async def test_a_drip_has_no_more_time_than_the_read_time_out_whatever_it_promises(
    server: Server, make: Make, size: int
) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Type: application/pdf\r\nContent-Length: %d\r\n\r\n" % size)
        while True:
            writer.write(b"%")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.answer = answer
    async with asyncio.timeout(60):
        assert await code_of(read(make())) == "source_unavailable"


@pytest.mark.parametrize(
    "head",
    [
        b"NOT HTTP AT ALL\r\n\r\n",
        bytes(range(128, 256)) + b"\r\n\r\n",
        b"HTTP/1.1 999999\r\n\r\n",
        b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: x\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
        OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
        OK + b"a name: 1\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
        OK + b"".join(b"X%d: 1\r\n" % each for each in range(500)) + b"\r\n",
    ],
    ids=lambda head: repr(head[:60]),
)
async def test_an_answer_that_is_no_http_is_about_what_was_asked_for(server: Server, make: Make, head: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        raise ConnectionError

    server.answer = answer
    assert await code_of(read(make())) == "unexpected_answer"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_connection_that_ends_before_an_answer_may_be_the_source_that_is_away(
    server: Server, make: Make, sent: bytes
) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        raise ConnectionError

    server.answer = answer
    assert await code_of(read(make())) == "source_unavailable"


async def test_a_refusal_that_drips_is_told_by_its_status(server: Server, make: Make) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(600):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.answer = answer
    async with asyncio.timeout(15):
        assert await code_of(read(make())) == "source_route"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
async def test_bytes_that_drip_are_given_up_and_their_connection_is_closed(
    server: Server, make: Make, sent: bytes
) -> None:
    """One byte each 50 ms keeps any time-out between two bytes quiet for ever."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    server.answer = answer
    source = make(pdpj_read_timeout=0.3, pdpj_connect_timeout=0.3, pdpj_min_bytes_per_second=200_000)
    assert await code_of(read(source)) == "source_unavailable"
    await wait_until_async(lambda: server.open == 0)


async def test_error_whose_body_does_not_come_is_known_by_its_status(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 500 Oops", "Content-Length: 1000", body=b"x")
    assert await code_of(read(make(pdpj_read_timeout=1.0))) == "source_error"


async def test_nobody_listens(make: Make) -> None:
    assert await code_of(read(make(pdpj_base_url="http://127.0.0.1:1"))) == "source_unavailable"


async def test_connections_are_used_again(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", body=PDF)
    source = make()
    for _ in range(20):
        await read(source)
    assert len(server.requests) == 20
    assert server.open == 1


async def test_a_body_of_known_length_comes_in_few_pieces_and_frees_the_connection(server: Server, make: Make) -> None:
    body = PDF + b"x" * (2 * SMALL_PIECE_BYTES)
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", body=body)
    source = make()
    for _ in range(3):
        async with source.open_document(PATH) as stream:
            pieces = [piece async for piece in stream.aiter_bytes()]
        first, *rest = [len(piece) for piece in pieces]
        assert (first, rest[:-1]) == (1024, [SMALL_PIECE_BYTES, SMALL_PIECE_BYTES])
        assert first + sum(rest) == 2 * SMALL_PIECE_BYTES + len(PDF)
        assert b"".join(pieces) == body
    assert server.open == 1


async def test_a_large_body_comes_in_smaller_pieces(server: Server, make: Make) -> None:
    body = PDF + b"x" * SMALL_BYTES
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", body=body)
    async with make().open_document(PATH) as stream:
        pieces = [piece async for piece in stream.aiter_bytes()]
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert b"".join(pieces) == body


async def test_a_base_address_with_a_path_and_escapes_is_kept(server: Server, make: Make) -> None:
    server.gives("HTTP/1.1 200 OK", f"Content-Length: {len(PDF)}", body=PDF)
    await read(make(pdpj_base_url=f"{server.url}/a%20b/ação/"))
    assert server.requests[0].startswith(f"GET /a%20b/a%C3%A7%C3%A3o/api/v2{PATH} HTTP/1.1\r\n".encode())


async def test_closing_twice_is_harmless(server: Server, make: Make) -> None:
    source = make()
    await source.aclose()
    await source.aclose()


async def test_how_each_request_ends_is_heard(server: Server) -> None:
    on_end: list[tuple[str, str | None]] = []
    settings = PdpjSettings(_env_file=None, pdpj_base_url=server.url, pdpj_access_token=SecretStr("t"))
    source = build_source(
        settings,
        credentials=build_credentials(settings),
        on_end=lambda case, error, _: on_end.append((case, None if error is None else type(error).__name__)),
    )
    forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Type: "
    answering(server, forbidden + b"text/html", forbidden + b"application/json", b"HTTP/1.1 200 OK")
    for _ in range(2):
        with pytest.raises(SourceError):
            await read(source)
    assert await read(source) == PDF
    server.gives("HTTP/1.1 200 OK", "Content-Type: text/html", "Content-Length: 13", body=b"<html></html>")
    with pytest.raises(SourceError):
        await source.fetch_case(NUMBER)
    ends = ["SourceForbidden", "UnexpectedAnswer", None, "SourceUnavailable"]
    assert on_end == [(NUMBER, end) for end in ends]
    await source.aclose()
