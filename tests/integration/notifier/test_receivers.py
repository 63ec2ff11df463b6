"""The receivers of docs/examples in Node and Go verify both kinds of signatures, and nothing that is forged."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.webhooks.public_keys import key_set
from shared.webhooks.signing import signature_headers
from tests.integration.notifier.test_registered_endpoints import asks, delivered, register
from tests.integration.notifier.world import Running, World
from tests.tcp import tcp_server

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
GO = shutil.which("go") or ("/usr/local/go/bin/go" if Path("/usr/local/go/bin/go").exists() else None)
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
needs_go = pytest.mark.skipif(GO is None, reason="go is not installed")


def new_key() -> str:
    return "whsk_" + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


@asynccontextmanager
async def key_server(keys: Sequence[str]) -> AsyncIterator[str]:
    """Answers every request with the key set; the URL."""
    content = json.dumps(key_set(keys)).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
        writer.write(head.encode() + b"connection: close\r\n\r\n" + content)
        await writer.drain()
        writer.close()

    async with tcp_server(answer) as port:
        yield f"http://127.0.0.1:{port}/.well-known/webhook-keys.json"


@asynccontextmanager
async def started(command: Sequence[str], secret: str, keys_url: str) -> AsyncIterator[str]:
    """Runs a receiver; its URL."""
    own = {"AUTOS_WEBHOOK_SECRET": secret, "AUTOS_WEBHOOK_KEYS": keys_url, "PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **own},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        yield f"http://127.0.0.1:{int(line.split()[-1])}/hook"
    finally:
        process.kill()
        await process.wait()


async def command_of(language: str, tmp_path: Path) -> list[str]:
    if language == "node":
        assert NODE is not None
        return [NODE, str(EXAMPLES / "webhook_receiver.mjs")]
    assert GO is not None
    program = tmp_path / "receiver"
    build = await asyncio.create_subprocess_exec(
        *(GO, "build", "-o", str(program), str(EXAMPLES / "webhook_receiver.go")),
        env={"GOFLAGS": "-mod=mod", "GO111MODULE": "off", **os.environ},
    )
    assert await build.wait() == 0
    return [str(program)]


@pytest.mark.parametrize("language", [pytest.param("node", marks=needs_node), pytest.param("go", marks=needs_go)])
async def test_a_delivery_is_verified_by_secret_and_by_key_over_a_rotation(
    world: World, running: Running, tmp_path: Path, language: str
) -> None:
    command = await command_of(language, tmp_path)
    client, _ = world.client()
    old, new = new_key(), new_key()
    endpoint_id, secret = register(world, client, "http://127.0.0.1:9/")
    # The receiver knows the new key alone: during a rotation that is enough, as the old one alone is.
    async with key_server([new]) as keys_url, started(command, secret, keys_url) as url:
        _point(world, endpoint_id, url)
        async with running(webhook_signing_keys=f"{old},{new}"):
            job = world.job(client)
            asks(world, client, job)
            await world.publish(job.completed())
            (row,) = await delivered(world, client, 1)
        (attempt,) = world.attempts(row.delivery_id)
        assert json.loads(attempt.response_excerpt) == {"v1": True, "v1a": True}
        await _forgeries_are_refused(url, secret, new)


async def _forgeries_are_refused(url: str, secret: str, key: str) -> None:
    now, body = datetime.now(UTC), b'{"type": "webhook.test"}'
    good = signature_headers([secret], "d", now, body, 1, private_keys=[key])
    v1, v1a = good["webhook-signature"].split(" ")
    other = signature_headers(["whsec_AAAA"], "d", now, body, 1, private_keys=[new_key()])["webhook-signature"]
    old = signature_headers([secret], "d", datetime.fromtimestamp(1, UTC), body, 1, private_keys=[key])
    cases: list[tuple[dict[str, str], bytes, int, Any]] = [
        (good, body, 200, (True, True)),
        ({**good, "webhook-signature": v1}, body, 200, (True, False)),
        ({**good, "webhook-signature": v1a}, body, 200, (False, True)),
        ({**good, "webhook-signature": f"{other} {v1a}"}, body, 200, (False, True)),
        ({**good, "webhook-signature": other}, body, 401, (False, False)),
        ({**good, "webhook-signature": "v1,!! v1a,AAAA v9,x"}, body, 401, (False, False)),
        ({**good, "webhook-id": "e"}, body, 401, (False, False)),
        (good, body + b" ", 401, (False, False)),
        (old, body, 401, (False, False)),
        ({}, body, 401, (False, False)),
    ]
    async with httpx.AsyncClient() as http:
        for headers, content, status, verified in cases:
            answer = await http.post(url, headers=headers, content=content)
            found = answer.json()
            assert (answer.status_code, (found["v1"], found["v1a"])) == (status, verified), headers


def _point(world: World, endpoint_id: str, url: str) -> None:
    from sqlalchemy import update

    from shared.db.webhook_endpoints import webhook_endpoints

    with world.engine.begin() as connection:
        where = webhook_endpoints.c.endpoint_id == endpoint_id
        connection.execute(update(webhook_endpoints).where(where).values(url=url))
