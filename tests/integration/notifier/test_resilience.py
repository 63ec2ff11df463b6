"""What is killed, cut off or forgotten is sent all the same."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text, update

from shared.db import delivery
from tests.integration.notifier.replica import notifier_process
from tests.integration.notifier.world import Call, Running, World, receiving, status
from tests.support import Servers, wait_until_async


async def test_kill_9_with_500_deliveries_loses_none(world: World, servers: Servers, tmp_path: Path) -> None:
    """All accepted, some being sent, most waiting; with the time-out as shipped the last arrives within 30 s."""
    client, _ = world.client()

    async def slow(_: Call) -> bytes:
        await asyncio.sleep(0.5)
        return status(200)

    async with receiving(slow) as receiver:
        jobs = [world.job(client, documents=0) for _ in range(500)]
        urls = [f"{receiver.url}/{index % 10}" for index in range(500)]
        wanted = {job.delivery(url) for job, url in zip(jobs, urls, strict=True)}
        for job, url in zip(jobs, urls, strict=True):
            await world.publish(job.subscribed(url), job.completed())
        with notifier_process(servers, tmp_path / "log") as first:
            await wait_until_async(lambda: world.count(client) == 500)
            await wait_until_async(lambda: receiver.in_flight == 40 and len(receiver.calls) > 40)
            await asyncio.to_thread(first.kill)
            await asyncio.to_thread(first.wait)
        sent = len(receiver.calls)
        assert sent < 300
        with notifier_process(servers, tmp_path / "log"):
            # From the start of the process: what was being sent has to wait for its lease to run out.
            await wait_until_async(lambda: world.count(client, "delivered") == 500)
        assert {call.delivery_id for call in receiver.calls} == wanted
        # Only what was being sent, or had just been and was not recorded, is sent again: under the same id.
        repeated = len(receiver.calls) - len(wanted)
        assert 0 < repeated <= 80
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
        row = await world.until(wanted, "delivered")
        await world.until(later, "delivered")
    assert row.attempts == 1
    assert len(receiver.of(wanted)) == 1
    assert len(world.attempts(wanted)) == 1
