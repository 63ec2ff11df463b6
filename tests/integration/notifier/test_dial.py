"""The dialled request against real sockets: limits, TLS, guard at the dial, what is recorded."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ipaddress
import ssl
import tracemalloc
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.http.answer import MAX_ANSWER_BYTES, ReceiverAnswer
from shared.http.connection import Timings, client_context, open_connection
from shared.http.dial import CallResult, WebhookCaller
from shared.http.guard import GuardPolicy, Resolver, check_url, resolve
from tests.tcp import Serve, tcp_server

LOOPBACK = GuardPolicy(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),))


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    return line, headers, await reader.readexactly(int(headers["content-length"]))


def answering(text: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(text)
            await writer.drain()

    return serve


@asynccontextmanager
async def calling(
    policy: GuardPolicy = LOOPBACK,
    *,
    timeout: float = 5.0,
    resolver: Resolver | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[WebhookCaller]:
    caller = WebhookCaller(policy, timeout=timeout, resolver=resolver, context=context)
    try:
        yield caller
    finally:
        await caller.aclose()


async def call(serve: Serve, *, timeout: float = 5.0, body: bytes = b"{}") -> CallResult:
    async with tcp_server(serve) as port, calling(timeout=timeout) as caller:
        return await caller.post(f"http://127.0.0.1:{port}/hook?a=1", [("webhook-id", "d1")], body)


async def test_the_request_is_as_the_contract_says_and_everything_is_recorded() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 202 Accepted\r\nretry-after: 7\r\ncontent-length: 5\r\n\r\nth\xffx\x00")
        await writer.drain()

    async with tcp_server(serve) as port, calling() as caller:
        result = await caller.post(f"http://127.0.0.1:{port}/hook?a=1", [("webhook-id", "d1")], b'{"x": 1}')
    line, headers, body = seen[0]
    assert line == "POST /hook?a=1 HTTP/1.1"
    assert body == b'{"x": 1}'
    assert headers["host"] == f"127.0.0.1:{port}"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["webhook-id"] == "d1"
    assert result.succeeded
    assert (result.status_code, result.error_code, result.address) == (202, None, "127.0.0.1")
    assert result.retry_after == "7"
    assert result.excerpt == "th\ufffdx\ufffd"
    assert result.timings.connect is not None
    assert result.timings.first_byte is not None
    assert result.timings.dns is None


async def test_the_body_of_an_answer_is_read_up_to_64_kib() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    result = await call(endless)
    assert result.succeeded
    assert len(result.excerpt) == 4096
    assert MAX_ANSWER_BYTES == 65536


async def test_no_more_than_64_kib_of_an_answer_are_kept() -> None:
    """However the body is framed; what is beyond is not waited for, and the connection is not used again."""
    connections = 0

    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    async with tcp_server(chunked) as port:
        checked = check_url(f"http://127.0.0.1:{port}/", LOOPBACK)
        context, answer, timings = client_context(), ReceiverAnswer(), Timings()
        connection = await open_connection(checked, [ipaddress.ip_address("127.0.0.1")], context, answer, timings)
        reusable = await connection.exchange(checked, [], b"{}", answer, timings, max_body=MAX_ANSWER_BYTES)
        connection.close()
        assert (len(answer.body), answer.complete, reusable) == (65536, True, False)
        async with calling() as caller:
            for _ in range(2):
                assert (await caller.post(f"http://127.0.0.1:{port}/", [], b"{}")).succeeded
    assert connections == 3


async def test_a_bomb_is_not_inflated() -> None:
    """64 MiB of zeros in 64 KiB: what is kept is what came over the wire."""
    bomb = gzip.compress(b"\x00" * (64 * 1024 * 1024))
    assert len(bomb) < 70_000
    text = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    tracemalloc.start()
    try:
        result = await call(answering(text + bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.succeeded
    assert result.excerpt.startswith("\x1f")
    assert len(result.excerpt) <= 4096
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (b"", "head_timeout"),
        (b"HTTP/1.1 200 OK\r\n", "head_timeout"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", "body_timeout"),
    ],
)
async def test_a_drip_cannot_pass_the_time_out(first: bytes, code: str) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(first)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    result = await call(drip, timeout=0.8)
    assert not result.succeeded
    assert result.error_code == code
    assert result.duration >= 0.6


async def test_a_receiver_that_answers_before_it_has_read_all_is_heard() -> None:
    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    result = await call(impatient, body=b"x" * 30_000_000)
    assert (result.status_code, result.error_code) == (413, None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "invalid_answer"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "invalid_answer"),
    ],
)
async def test_an_answer_that_is_not_http_is_a_failure(text: bytes, code: str) -> None:
    result = await call(answering(text))
    assert (result.succeeded, result.error_code) == (False, code)


async def test_an_answer_cut_short_is_a_failure() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    result = await call(cut)
    assert (result.succeeded, result.error_code) == (False, "invalid_answer")


async def test_a_closed_port_is_connection_refused() -> None:
    async with tcp_server(answering(b"")) as port:
        pass
    async with calling() as caller:
        result = await caller.post(f"http://127.0.0.1:{port}/", [], b"{}")
    assert (result.status_code, result.error_code) == (None, "connection_refused")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    followed: list[str] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        followed.append("yes")

    async with tcp_server(other) as port:
        text = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"
        result = await call(answering(text.encode()))
    assert (result.status_code, result.succeeded) == (307, False)
    assert followed == []


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await call(answering(b"HTTP/1.1 204 No Content\r\n\r\n"))).status_code == 204


async def test_connections_are_kept_and_a_stale_one_is_dialled_again() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

    async with tcp_server(serve) as port, calling() as caller:
        for _ in range(5):
            result = await caller.post(f"http://127.0.0.1:{port}/", [], b"{}")
            assert result.succeeded
    assert connections == 3


async def test_an_address_that_is_not_public_is_not_dialled() -> None:
    reached: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("yes")

    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with tcp_server(serve) as port, calling(GuardPolicy(), resolver=inside) as caller:
        for url in (f"http://127.0.0.1:{port}/", f"http://[::ffff:127.0.0.1]:{port}/", f"http://a.example:{port}/"):
            result = await caller.post(url, [], b"{}")
            assert (result.error_code, result.address) == ("address_not_public", None)
    assert reached == []


async def test_a_name_that_changes_between_check_and_dial_gains_nothing() -> None:
    """The look-up that is checked is the one that is dialled: there is no second one to lie in."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    text = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with tcp_server(answering(text)) as port, calling(resolver=rebinding) as caller:
        result = await caller.post(f"http://hook.example:{port}/", [], b"{}")
        assert (result.address, asked) == ("127.0.0.1", ["hook.example"])
        assert result.timings.dns is not None


async def test_a_name_that_was_public_at_the_request_is_checked_again_at_the_dial() -> None:
    """It passed when the client gave it, and has moved inside since."""
    reached: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("yes")

    addresses = ["8.8.8.8"]

    async def moving(host: str, port: int) -> list[str]:
        return addresses

    policy = GuardPolicy()
    async with tcp_server(serve) as port, calling(policy, resolver=moving) as caller:
        url = f"http://hook.example:{port}/"
        accepted = check_url(url, policy)
        assert [str(found) for found in await resolve(accepted.host, accepted.port, policy, moving)] == ["8.8.8.8"]
        for inside in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::127.0.0.1"]):
            addresses = inside
            result = await caller.post(url, [], b"{}")
            assert (result.error_code, result.address) == ("address_not_public", None)
    assert reached == []


async def test_a_redirect_to_an_address_inside_is_not_followed() -> None:
    """Whatever the guard thinks of the target: it is never asked, since nothing is followed."""
    reached: list[str] = []

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("yes")

    only = GuardPolicy(allowed_networks=(ipaddress.ip_network("127.0.0.1/32"),))
    async with tcp_server(inside) as private:
        for status in (301, 302, 303, 307, 308):
            target = f"http://127.0.0.2:{private}/"
            text = f"HTTP/1.1 {status} Elsewhere\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
            async with tcp_server(answering(text.encode())) as port, calling(only) as caller:
                result = await caller.post(f"http://127.0.0.1:{port}/", [], b"{}")
            assert (result.status_code, result.succeeded, result.address) == (status, False, "127.0.0.1")
    assert reached == []


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    quick = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    async with tcp_server(quick) as port, calling(resolver=two) as caller:
        result = await caller.post(f"http://hook.example:{port}/", [], b"{}")
    assert (result.succeeded, result.address) == (True, "127.0.0.1")


async def test_an_unknown_name_is_dns_error() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async with calling(resolver=unknown) as caller:
        assert (await caller.post("http://hook.example/", [], b"{}")).error_code == "dns_error"


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for ``name``, and a server context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


async def at_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_tls_is_done_with_the_name_and_verified(tmp_path: Path) -> None:
    roots, server = certificate(tmp_path, "hook.example")
    names: list[str | None] = []
    server.sni_callback = lambda sslsocket, name, context: names.append(name)
    hosts: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosts.append((await read_request(reader))[1]["host"])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with tcp_server(serve, ssl=server) as port:
        async with calling(resolver=at_loopback, context=client_context(str(roots))) as caller:
            result = await caller.post(f"https://hook.example:{port}/", [], b"{}")
            assert (result.error_code, result.error_message, result.status_code) == (None, None, 200)
            assert result.timings.tls is not None
            other = await caller.post(f"https://other.example:{port}/", [], b"{}")
            assert other.error_code == "tls_error"
        async with calling(resolver=at_loopback, context=client_context(besides=roots)) as caller:
            private = await caller.post(f"https://hook.example:{port}/", [], b"{}")
            assert private.status_code == 200
        async with calling(resolver=at_loopback) as caller:
            unknown = await caller.post(f"https://hook.example:{port}/", [], b"{}")
            assert unknown.error_code == "tls_error"
            assert "certificate" in (unknown.error_message or "")
    assert names[0] == "hook.example"
    assert hosts == [f"hook.example:{port}"] * 2


async def test_a_server_that_knows_only_tls_1_1_is_refused(tmp_path: Path) -> None:
    roots, server = certificate(tmp_path, "hook.example")
    # Old versions are deprecated, and a library may need to be told that they are meant.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.minimum_version = ssl.TLSVersion.TLSv1_1
        server.maximum_version = ssl.TLSVersion.TLSv1_1
    server.set_ciphers("DEFAULT:@SECLEVEL=0")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    willing = client_context(str(roots))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        willing.minimum_version = ssl.TLSVersion.TLSv1_1
    willing.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with tcp_server(serve, ssl=server) as port:
        # That the server does answer a client that would have it.
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=willing, server_hostname="hook.example")
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1"
        writer.close()
        async with calling(resolver=at_loopback, context=client_context(str(roots))) as caller:
            result = await caller.post(f"https://hook.example:{port}/", [], b"{}")
    assert (result.status_code, result.error_code) == (None, "tls_error")


def test_tls_1_2_is_the_least_and_names_are_verified() -> None:
    context = client_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


async def test_a_plain_server_behind_https_is_a_tls_error() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    async with tcp_server(plain) as port, calling() as caller:
        result = await caller.post(f"https://127.0.0.1:{port}/", [], b"{}")
    assert result.error_code == "tls_error"
