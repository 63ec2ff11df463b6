"""A put is signed as botocore signs it, and what is not taken is said."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import SecretStr

from shared.clock import utc_now
from shared.settings import StorageSettings
from shared.storage.known_puts import KnownPuts, PutFailed, make_known_puts

KEY = "processes/10001459120238260597/documents/6f1c9a0e-6d0b-5a53-9a55-2f4a5f0f7a11"
BYTES = b"%PDF-1.4 of a document"
SHA256 = hashlib.sha256(BYTES).hexdigest()
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "x-amz-meta-sha256": SHA256,
    "x-amz-meta-process-number": "1000145-91.2023.8.26.0597",
    "x-amz-meta-name": "Peti%C3%A7%C3%A3o%20inicial",
}


def settings(**more: Any) -> StorageSettings:
    given = {"aws_access_key_id": "AKIA/x+y", "aws_secret_access_key": SecretStr("s3cr3t/+="), **more}
    return StorageSettings(_env_file=None, **given)


@pytest.mark.parametrize(
    "place",
    [
        {"s3_endpoint_url": "http://127.0.0.1:8333"},
        {"s3_endpoint_url": "https://s3.example-1.com:443", "s3_bucket": "court.files-2"},
        {"s3_endpoint_url": "http://s3.example.com:80", "s3_region": "sa-east-1"},
    ],
)
async def test_it_is_signed_as_botocore_signs_it(place: dict[str, str]) -> None:
    chosen = settings(**place)
    url = f"{chosen.s3_endpoint_url}/{chosen.s3_bucket}/{KEY}"
    request = AWSRequest("PUT", url, headers=dict(HEADERS), data=BYTES)
    S3SigV4Auth(Credentials("AKIA/x+y", "s3cr3t/+="), "s3", chosen.s3_region).add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    puts = make_known_puts(chosen, lambda: moment)
    assert puts is not None
    assert request.headers["X-Amz-Content-SHA256"] == SHA256
    assert puts.signed(KEY, SHA256, HEADERS)["authorization"] == request.headers["Authorization"]


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"s3_endpoint_url": "http://S3.Example.com:8333/"},
        {"s3_endpoint_url": "https://s3.example.com/store/"},
        {"s3_endpoint_url": "http://127.0.0.1:8333", "aws_access_key_id": None},
        {"s3_endpoint_url": "http://127.0.0.1:8333", "aws_secret_access_key": None},
    ],
)
def test_whatever_is_not_plain_is_obstores(place: dict[str, Any]) -> None:
    assert make_known_puts(settings(**place), utc_now) is None


async def answered(*answers: bytes) -> tuple[KnownPuts, asyncio.Server]:
    """Puts to a server that gives these answers, one after the other, to whatever has come."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BYTES))
        writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    puts = make_known_puts(settings(s3_endpoint_url=f"http://127.0.0.1:{port}"), utc_now)
    assert puts is not None
    return puts, server


async def test_the_version_is_told_where_there_is_one() -> None:
    end = b"content-length: 0\r\nconnection: close\r\n\r\n"
    puts, server = await answered(b"HTTP/1.1 200 OK\r\nx-amz-version-id: v1\r\n" + end, b"HTTP/1.1 200 OK\r\n" + end)
    async with server:
        assert await puts.put(KEY, BYTES, SHA256, HEADERS) == "v1"
        assert await puts.put(KEY, BYTES, SHA256, HEADERS) is None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 503),
        (b"HTTP/1.1 307 Moved\r\nlocation: /x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 307),
        (b"", None),
        (b"SSH-2.0\r\n\r\n", None),
    ],
)
async def test_anything_else_has_failed(answer: bytes, status: int | None) -> None:
    puts, server = await answered(answer)
    async with server:
        with pytest.raises(PutFailed) as failed:
            await puts.put(KEY, BYTES, SHA256, HEADERS)
    assert failed.value.status == status


async def test_a_store_that_nobody_answers_for_has_failed() -> None:
    puts = make_known_puts(settings(s3_endpoint_url="http://127.0.0.1:9"), utc_now)
    assert puts is not None
    with pytest.raises(PutFailed):
        await puts.put(KEY, BYTES, SHA256, HEADERS)
