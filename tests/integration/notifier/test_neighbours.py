"""Dead receivers of every kind at once, and a healthy one beside them: its deliveries go out while theirs hang."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from tests.integration.notifier.test_store import create
from tests.integration.notifier.world import Running, World, accept, receiving
from tests.support import wait_until_async
from tests.tcp import tcp_server


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def interim_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(1.5)


@pytest.fixture
def hanging_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names below hang.example are looked up for ever; every other name as always."""
    real, let_go = socket.getaddrinfo, threading.Event()

    def look_up(host: Any, *arguments: Any, **more: Any) -> Any:
        if str(host).endswith("hang.example"):
            let_go.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    let_go.set()


async def test_dead_receivers_of_every_kind_delay_no_healthy_one(
    world: World, running: Running, hanging_names: None
) -> None:
    bad, good = world.client()[0], world.client()[0]
    async with (
        tcp_server(never_reads) as unread,
        tcp_server(silent) as mute,
        tcp_server(interim_for_ever) as interim,
        receiving(accept) as healthy,
        running(
            webhook_timeout_seconds=30.0, webhook_in_flight=90, webhook_in_flight_per_client=70, shutdown_seconds=1
        ),
    ):
        urls = [
            *(f"http://127.0.0.1:{unread}/{number}" for number in range(20)),
            *(f"https://127.0.0.1:{mute}/{number}" for number in range(20)),
            *(f"http://127.0.0.1:{interim}/{number}" for number in range(20)),
            *(f"http://hang.example/{number}" for number in range(20)),
            *(f"http://{uuid.uuid4().hex}.hang.example/" for _ in range(40)),
        ]
        # The first have bodies that are made apart, since they are large.
        jobs = [world.job(bad, documents=101 if number < 20 else 0) for number in range(len(urls))]
        events = [(job.subscribed(url), job.completed()) for job, url in zip(jobs, urls, strict=True)]
        await world.publish(*(event for pair in events for event in pair))
        await wait_until_async(lambda: world.count(bad, "sending") == 70, what="as many as one client may hold")
        small = await world.start(healthy.url, good)
        large = await world.start(f"{healthy.url}/large", good, documents=150)
        for wanted in (small, large):
            await world.until(wanted, "delivered")
        # None of the others has ended meanwhile.
        assert world.count(bad, "sending") == 70
        assert world.count(bad) == len(urls)


async def test_what_cannot_be_claimed_stops_nothing_beside_it(
    world: World, running: Running, database: Database
) -> None:
    """A row that cannot be read: PostgreSQL knows moments that Python does not."""
    async with receiving() as receiver:
        jobs = [create(world, database, receiver.url)[0] for _ in range(6)]
        broken, *others = [job.delivery(receiver.url) for job in jobs]
        with world.engine.begin() as connection:
            statement = "UPDATE delivery.deliveries SET next_attempt_at = '0001-01-01 BC' WHERE delivery_id = :id"
            connection.execute(text(statement), {"id": broken})
        async with running():
            for wanted in others:
                await world.until(wanted, "delivered")
        with world.engine.begin() as connection:
            statement = "DELETE FROM delivery.deliveries WHERE delivery_id = :id AND status = 'pending'"
            assert connection.execute(text(statement), {"id": broken}).rowcount == 1
    assert receiver.of(broken) == []
