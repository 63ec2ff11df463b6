"""The broker or the database goes away for a while: no recorded state is lost or doubled, and no hand is needed.

Ten seconds here; AUTOS_TEST_OUTAGE_SECONDS=60 is the form that the promise is about.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import func, select

from autos.local.state import StateFiles
from shared.db import delivery
from shared.events.topics import TOPICS, WEBHOOK_EVENTS, WEBHOOK_RETRY, tier_for
from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.consumer.client import record_of
from tests.integration.notifier.replica import notifier_process
from tests.integration.notifier.world import Call, Receiver, World, receiving, status
from tests.support import Servers, wait_until_async

SECONDS = float(os.environ.get("AUTOS_TEST_OUTAGE_SECONDS", "10"))
MORE_SECONDS = 60.0
"""How long everything may take once the server is back."""


class Outage:
    """What a server's processes suffer. ``killed``: connections are refused; ``frozen``: nothing answers."""

    def __init__(self, data_dir: Path, server: str, how: str) -> None:
        entry = json.loads((data_dir / "stack.json").read_text())["processes"][server]
        process = psutil.Process(entry["pid"])
        # A stopped parent does not stop PostgreSQL's backends.
        self._pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
        supervisor = StateFiles(data_dir).supervisor_pid()
        assert supervisor is not None
        self._supervisor = supervisor
        self._how = how

    def begin(self) -> None:
        if self._how == "killed":
            # It would start the server again at once.
            os.kill(self._supervisor, signal.SIGSTOP)
        self._signal(signal.SIGKILL if self._how == "killed" else signal.SIGSTOP)

    def end(self) -> None:
        if self._how == "killed":
            os.kill(self._supervisor, signal.SIGCONT)
        else:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in self._pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


@contextmanager
def outage(servers: Servers, server: str, how: str) -> Iterator[None]:
    assert servers.data_dir is not None
    trouble = Outage(servers.data_dir, server, how)
    trouble.begin()
    try:
        yield
    finally:
        trouble.end()


class Load:
    """Deliveries of one client to ten endpoints; every third attempt is answered 503."""

    def __init__(self, world: World, receiver: Receiver) -> None:
        self._world = world
        self._receiver = receiver
        self.client, _ = world.client()
        self.wanted: list[str] = []

    async def add(self, count: int) -> None:
        jobs = [self._world.job(self.client, documents=1) for _ in range(count)]
        urls = [f"{self._receiver.url}/{index % 10}" for index in range(count)]
        pairs = list(zip(jobs, urls, strict=True))
        self.wanted += [job.delivery(url) for job, url in pairs]
        await self._world.publish(*(event for job, url in pairs for event in (job.subscribed(url), job.completed())))

    def delivered(self) -> int:
        return self._world.count(self.client, "delivered")


async def answer(call: Call) -> bytes:
    await asyncio.sleep(0.1)
    return status(503 if call.attempt == 1 and int(call.delivery_id[:8], 16) % 3 == 0 else 200)


@asynccontextmanager
async def loaded(world: World, servers: Servers, log: Path) -> AsyncIterator[tuple[Load, Receiver]]:
    """A notifier that is in the middle of 400 deliveries."""
    async with receiving(answer) as receiver:
        with notifier_process(servers, log):
            load = Load(world, receiver)
            await load.add(400)
            await wait_until_async(lambda: world.count(load.client) == 400)
            await wait_until_async(lambda: receiver.calls)
            yield load, receiver


def events_of(servers: Servers, wanted: set[str]) -> Counter[tuple[str, str]]:
    """Every event on webhook.events about these deliveries, by delivery and ``ce_id``."""
    config = {
        **consumer_config(servers.bootstrap_servers, "outage-reader", {}, group_protocol="classic"),
        "enable.partition.eof": True,
    }
    consumer = Consumer(config)
    found: Counter[tuple[str, str]] = Counter()
    try:
        partitions = consumer.list_topics(WEBHOOK_EVENTS, 10).topics[WEBHOOK_EVENTS].partitions
        consumer.assign([TopicPartition(WEBHOOK_EVENTS, number, OFFSET_BEGINNING) for number in partitions])
        left = set(partitions)
        while left:
            message = consumer.poll(20)
            assert message is not None, "webhook.events cannot be read"
            if (error := message.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.discard(message.partition())
                continue
            record = record_of(message)
            if (key := (record.key or b"").decode()) in wanted:
                found[key, record.headers["ce_id"].decode()] += 1
    finally:
        consumer.close()
    return found


def unpublished(world: World) -> int:
    """Rows of the outbox that the broker has not got."""
    outbox = delivery.outbox
    with world.engine.connect() as connection:
        waiting = select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        found: int = connection.execute(waiting).scalar_one()
        return found


async def check(world: World, servers: Servers, load: Load, receiver: Receiver) -> None:
    """Everything that was accepted is delivered, recorded once for each attempt, and told."""
    total = len(load.wanted)
    await wait_until_async(lambda: load.delivered() == total, MORE_SECONDS, f"{total} delivered")
    wanted = set(load.wanted)
    made = Counter((call.delivery_id, call.attempt) for call in receiver.calls)
    table = delivery.attempts
    with world.engine.connect() as connection:
        query = select(table.c.delivery_id, table.c.attempt).where(table.c.delivery_id.in_(load.wanted))
        recorded = Counter((row.delivery_id, row.attempt) for row in connection.execute(query))
    # One row for each attempt that the receiver saw: the process lived on, so each was sent once too.
    assert recorded == made
    assert set(recorded.values()) == {1}
    expected = {(name, attempt) for name in wanted for attempt in range(1, world.delivery(name).attempts + 1)}
    assert set(recorded) == expected
    await wait_until_async(lambda: unpublished(world) == 0, MORE_SECONDS, "the outbox is published")
    told = Counter(key for key, _ in events_of(servers, wanted))
    assert told == Counter(name for name, _ in recorded)


def broker_answers(servers: Servers) -> bool:
    try:
        AdminClient({"bootstrap.servers": servers.bootstrap_servers, "log_level": 0}).list_topics(timeout=2)
    except KafkaException:
        return False
    return True


def database_answers(servers: Servers) -> bool:
    try:
        psycopg2.connect(servers.owner_url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_broker_outage_loses_and_doubles_nothing(
    world: World, servers: Servers, tmp_path: Path, how: str
) -> None:
    if servers.data_dir is None:
        pytest.skip("containers are not ours to kill")
    async with loaded(world, servers, tmp_path / "log") as (load, receiver):
        with outage(servers, "kafka", how):
            over = asyncio.get_running_loop().time() + SECONDS
            assert not await asyncio.to_thread(broker_answers, servers)
            # The database is the truth: what is accepted is sent, and sent again, without the broker.
            await wait_until_async(lambda: load.delivered() == 400, max(SECONDS, 30.0), "sent without the broker")
            await wait_until_async(lambda: asyncio.get_running_loop().time() >= over, SECONDS + 5)
        await load.add(50)
        await check(world, servers, load, receiver)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_database_outage_loses_and_doubles_nothing(
    world: World, servers: Servers, tmp_path: Path, how: str
) -> None:
    if servers.data_dir is None:
        pytest.skip("containers are not ours to kill")
    async with loaded(world, servers, tmp_path / "log") as (load, receiver):
        jobs = [world.job(load.client, documents=1) for _ in range(50)]
        url = f"{receiver.url}/later"
        load.wanted += [job.delivery(url) for job in jobs]
        with outage(servers, "postgres", how):
            over = asyncio.get_running_loop().time() + SECONDS
            assert not await asyncio.to_thread(database_answers, servers)
            # What comes meanwhile is held at the broker.
            await world.publish(*(event for job in jobs for event in (job.subscribed(url), job.completed())))
            await wait_until_async(lambda: asyncio.get_running_loop().time() >= over, SECONDS + 5)
        await wait_until_async(lambda: database_answers(servers), MORE_SECONDS, "PostgreSQL")
        await check(world, servers, load, receiver)


async def test_a_deleted_retry_topic_delays_no_retry(world: World, servers: Servers, tmp_path: Path) -> None:
    """The wake-ups cannot be written, and the sweeper sends; made anew, the topic gets what was kept for it."""
    client, _ = world.client()
    admin = AdminClient({"bootstrap.servers": servers.bootstrap_servers})

    async def once(call: Call) -> bytes:
        return status(503 if call.attempt == 1 else 200)

    async with receiving(once) as receiver:
        with notifier_process(servers, tmp_path / "log") as running:
            # It runs, with its partitions.
            first = await world.start(receiver.url, client)
            await world.until(first, "delivered")
            await wait_until_async(lambda: unpublished(world) == 0)
            topic = tier_for(0.5, WEBHOOK_RETRY).topic
            try:
                await asyncio.to_thread(admin.delete_topics([topic])[topic].result, 20)
                wanted = [await world.start(f"{receiver.url}/{number}", client) for number in range(20)]
                for name in wanted:
                    await world.until(name, "delivered")
                assert unpublished(world) > 0
            finally:
                ensure_topics(servers.bootstrap_servers, TOPICS, {})
            await wait_until_async(lambda: unpublished(world) == 0, MORE_SECONDS, "the outbox is published")
            last = await world.start(f"{receiver.url}/last", client)
            await world.until(last, "delivered")
            assert running.poll() is None
    assert [call.attempt for call in receiver.of(last)] == [1, 2]
