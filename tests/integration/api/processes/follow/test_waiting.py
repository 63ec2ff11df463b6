"""A thousand clients that wait: what the database hears of them meanwhile, and whom a change wakes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.api.http.provided import parts_of
from services.api.processes.follow.changes import CaseChanges
from services.api.server import serve
from services.api.settings import ApiSettings
from shared.db.engine import Database
from tests.integration.api.scripted import ApiTools, client_of
from tests.statements import noted
from tests.support import wait_until_async

_CASES = 20
_POLLS_EACH = 45
_STREAMS_EACH = 5
_WATCHED_SECONDS = 3.0


@dataclass
class Waiter:
    """One client with a connection of its own; what it was sent is in ``received``."""

    number: str
    received: bytearray = field(default_factory=bytearray)
    ended: bool = False


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of a thousand connections are open in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[None]:
    stop = asyncio.Event()
    settings = parts_of(app).get(ApiSettings)
    server = asyncio.create_task(serve(app, settings, stop))
    try:
        async with httpx.AsyncClient(trust_env=False) as anybody:

            async def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await anybody.get(f"http://127.0.0.1:{settings.api_port}/health/live")).is_success
                return False

            await wait_until_async(answers)
        yield
    finally:
        stop.set()
        await server


async def listen(port: int, waiter: Waiter, head: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {head}\r\n\r\n".encode())
        while chunk := await reader.read(65536):
            waiter.received += chunk
        waiter.ended = True
    finally:
        writer.close()


async def test_a_thousand_waiting_clients_ask_nothing_and_a_change_wakes_its_own(
    tools: ApiTools,
    unused_tcp_port: int,
    many_files: None,
) -> None:
    key = tools.new_key()
    app = tools.make_app(api_port=unused_tcp_port, rate_limit_burst=100, streams_per_client=_CASES * _STREAMS_EACH)
    statements = noted(parts_of(app).get(Database).engine)

    async with serving(app), client_of(app, key) as api:
        views = []
        for _ in range(_CASES):
            number = tools.process_number()
            tools.source.add(number)
            views.append((await api.get(f"/processes/{number}")).json())
        polls, streams, tasks = await _open(api, views, key, unused_tcp_port)
        changes = parts_of(app).get(CaseChanges)
        total = len(polls) + len(streams)
        await wait_until_async(lambda: changes.waiting() == total)
        # Every stream has told its beginning, so that nothing of that is looked up any more.
        await wait_until_async(lambda: all(b"event: progress" in stream.received for stream in streams))

        before, heard = len(statements), _commits(tools.owner)
        answered, _ = await asyncio.wait(tasks, timeout=_WATCHED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert not answered
        # Every ten seconds an api looks for deletions that are under way, whoever waits.
        asked = [one for one in statements[before:] if "deletion" not in one]
        assert total == 1000
        # In three seconds: a look for ended jobs, and the tests' own two questions.
        assert len(asked) <= 2, asked
        # A backend may report what it did up to ten seconds later; a question by each waiter would be a thousand.
        assert _commits(tools.owner) - heard < total // 2

        before = len(statements)
        tools.progress.plan(views[7], total=3)
        concerned = [poll for poll in polls if poll.number == views[7]["process_number"]]
        told = [stream for stream in streams if stream.number == views[7]["process_number"]]
        await wait_until_async(lambda: all(poll.received.startswith(b"HTTP/1.1 200") for poll in concerned))
        await wait_until_async(lambda: all(stream.received.count(b"event: progress") == 2 for stream in told))
        others = [waiter for waiter in polls if waiter not in concerned]
        assert len(concerned) == _POLLS_EACH and len(told) == _STREAMS_EACH
        assert not any(waiter.received for waiter in others)
        assert all(stream.received.count(b"event: progress") == 1 for stream in streams if stream not in told)
        # The change was looked up for the waiters of its case alone: what each of them is shown, and no more.
        assert len(statements) - before < 7 * (_POLLS_EACH + _STREAMS_EACH)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _open(
    api: httpx.AsyncClient, views: list[dict[str, Any]], key: str, port: int
) -> tuple[list[Waiter], list[Waiter], list[asyncio.Task[None]]]:
    polls, streams, tasks = [], [], []
    for view in views:
        number = view["process_number"]
        tag = (await api.get(f"/processes/{number}/status")).headers["etag"]
        common = f"HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {key}"
        for _ in range(_POLLS_EACH):
            polls.append(Waiter(number))
            head = f"/processes/{number}/status?wait=60 {common}\r\nConnection: close\r\nIf-None-Match: {tag}"
            tasks.append(asyncio.create_task(listen(port, polls[-1], head)))
        for _ in range(_STREAMS_EACH):
            streams.append(Waiter(number))
            tasks.append(asyncio.create_task(listen(port, streams[-1], f"/processes/{number}/events {common}")))
    return polls, streams, tasks


def _commits(owner: Engine) -> int:
    """Transactions that the database has seen, of whoever; a backend reports its own within a second or so."""
    with owner.connect() as connection:
        statement = text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        return int(connection.execute(statement).scalar_one())
