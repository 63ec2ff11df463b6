"""What is killed, cut off or forgotten is sent all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text, update

from shared.db import delivery
from tests.integration.notifier.world import GROUP_PREFIX, Call, Running, World, receiving, status
from tests.support import Servers, wait_until_async


@contextmanager
def process(servers: Servers, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A notifier as its own process; ended by its pid."""
    environment = {
        **os.environ,
        **servers.environment,
        "AUTOS_DATABASE_URL": servers.role_urls["notifier"],
        "AUTOS_KAFKA_GROUP_PREFIX": GROUP_PREFIX,
        "AUTOS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "AUTOS_WEBHOOK_RETRY_DELAYS": "0.5,0.5,0.5",
        **more,
    }
    with log.open("ab") as out:
        started = subprocess.Popen([sys.executable, "-m", "services.notifier"], env=environment, stderr=out)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait(30)


async def test_kill_9_with_500_deliveries_loses_none(world: World, servers: Servers, tmp_path: Path) -> None:
    client, _ = world.client()

    async def slow(_: Call) -> bytes:
        await asyncio.sleep(0.05)
        return status(200)

    async with receiving(slow) as receiver:
        more = {"AUTOS_WEBHOOK_TIMEOUT_SECONDS": "5"}
        with process(servers, tmp_path / "log", **more) as first:
            jobs = [world.job(client, documents=0) for _ in range(500)]
            urls = [f"{receiver.url}/{index % 10}" for index in range(500)]
            for job, url in zip(jobs, urls, strict=True):
                await world.publish(job.subscribed(url), job.completed())
            wanted = {job.delivery(url) for job, url in zip(jobs, urls, strict=True)}
            await wait_until_async(lambda: len(receiver.calls) >= 100, 30)
            await asyncio.to_thread(first.kill)
            await asyncio.to_thread(first.wait)
        with process(servers, tmp_path / "log", **more):
            await wait_until_async(lambda: {call.delivery_id for call in receiver.calls} >= wanted, 30)
            for delivery_id in wanted:
                await world.until(delivery_id, "delivered", 30)
        repeated = len(receiver.calls) - len(wanted)
        # Only what was being sent, or had been and was not recorded, is sent again.
        assert repeated <= 10 * 16
        assert all(call.attempt == 1 for call in receiver.calls)


async def test_a_lost_wake_up_is_found(world: World, running: Running) -> None:
    """The row says that it is due and no record will ever tell: a topic was deleted, or the broker lost it."""
    client, _ = world.client()
    async with receiving() as receiver:
        async with running(webhook_retry_delays="600", webhook_timeout_seconds=1.0):
            receiver.answer = lambda call: _answer(503)
            wanted = await world.start(receiver.url, client)
            await world.until(wanted, "waiting")
            receiver.answer = lambda call: _answer(200)
            with world.engine.begin() as connection:
                past = datetime.now(UTC) - timedelta(seconds=5)
                table = delivery.deliveries
                connection.execute(update(table).where(table.c.delivery_id == wanted).values(next_attempt_at=past))
            await world.until(wanted, "delivered")
        assert [call.attempt for call in receiver.of(wanted)] == [1, 2]


async def _answer(code: int) -> bytes:
    return status(code)


async def test_a_lease_without_a_holder_runs_out_and_the_attempt_is_repeated(world: World, running: Running) -> None:
    client, secret = world.client()
    async with receiving() as receiver:
        job = world.job(client)
        async with running():
            receiver.answer = lambda call: _answer(503)
            await world.publish(job.subscribed(receiver.url), job.completed())
            wanted = job.delivery(receiver.url)
            await world.until(wanted, "exhausted")
        table = delivery.deliveries
        with world.engine.begin() as connection:
            lost = {"status": "sending", "lease_token": str(uuid.uuid4()), "lease_until": datetime.now(UTC)}
            connection.execute(update(table).where(table.c.delivery_id == wanted).values(**lost))
        receiver.answer = lambda call: _answer(200)
        async with running():
            row = await world.until(wanted, "delivered")
    assert row.attempts == 4
    receiver.calls[-1].verify(secret)


async def test_the_database_away_while_sending_costs_no_result(world: World, running: Running) -> None:
    """The role may not log in and its connections are cut: as the notifier sees it, the database is gone."""
    client, _ = world.client()
    gate = asyncio.Event()

    async def held(_: Call) -> bytes:
        await gate.wait()
        return status(200)

    def administer(*statements: str) -> None:
        with world.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'autos_notifier'"
    async with receiving(held) as receiver, running(webhook_timeout_seconds=5.0):
        wanted = await world.start(receiver.url, client)
        await wait_until_async(lambda: receiver.of(wanted))
        administer("ALTER ROLE autos_notifier NOLOGIN", cut)
        try:
            gate.set()
            # A second one arrives while it is away.
            later = await world.start(receiver.url, client)
            await wait_until_async(lambda: receiver.in_flight == 0)
            assert world.delivery(wanted).status == "sending"
        finally:
            administer("ALTER ROLE autos_notifier LOGIN")
        row = await world.until(wanted, "delivered", 30)
        await world.until(later, "delivered", 30)
    assert row.attempts == 1
    assert len(receiver.of(wanted)) == 1
    assert len(world.attempts(wanted)) == 1
