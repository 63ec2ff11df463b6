"""The source is shared: heartbeats, shares, pauses and departures, over a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from autos.local.pdpj.control import SourceSetting
from autos.local.pdpj.process import running_simulator
from services.downloader.cancellations import Cancellations
from services.downloader.metrics import DownloaderMetrics
from services.downloader.source_share.request_share import COUNTED_SECONDS, CUT_OFF_SECONDS
from services.downloader.source_share.worker_heartbeat import ShareLimits, WorkerHeartbeat
from shared.db.engine import Database
from sources.gate.gate import SourceGate
from tests.integration.downloader.workers import Workers
from tests.support import Servers, wait_until_async


@dataclass
class Member:
    """One worker's heartbeat with a clock that the test turns."""

    name: str
    database: Database
    now: float = 1000.0
    gate: SourceGate = field(default_factory=lambda: SourceGate(32))

    def __post_init__(self) -> None:
        self.sharing = WorkerHeartbeat(
            self.name,
            self.database,
            self.gate,
            Cancellations(self.database),
            ShareLimits(total=64, capacity=32),
            metrics=DownloaderMetrics(CollectorRegistry()),
            clock=lambda: self.now,
        )


@pytest.fixture
async def database(servers: Servers, bench: Workers) -> AsyncIterator[Database]:
    await bench.sql("DELETE FROM source.workers")
    await bench.sql("DELETE FROM source.pauses")
    database = Database.connect(servers.role_urls["downloader"], application_name="test", pool_size=2)
    yield database
    await asyncio.to_thread(database.close)
    await bench.sql("DELETE FROM source.workers")
    await bench.sql("DELETE FROM source.pauses")


async def test_three_workers_share_and_the_third_begins_small(database: Database) -> None:
    members = [Member(name, database) for name in "abc"]
    for member in members:
        assert await member.sharing.beat()
    assert [member.gate.limit for member in members] == [32, 32, 1]
    for member in members:
        member.now += COUNTED_SECONDS
        await member.sharing.beat()
    assert [member.gate.limit for member in members] == [21, 21, 21]


async def test_the_share_of_a_dead_worker_goes_to_the_others(database: Database, bench: Workers) -> None:
    members = [Member(name, database) for name in "abc"]
    for member in [*members, *members]:
        member.now += COUNTED_SECONDS
        await member.sharing.beat()
    await bench.sql("UPDATE source.workers SET seen_at = now() - interval '11 seconds' WHERE worker_id = 'c'")
    await members[0].sharing.beat()
    assert members[0].gate.limit == 32


async def test_a_worker_that_was_counted_out_begins_small_again(database: Database) -> None:
    others = [Member(name, database) for name in "ab"]
    late = Member("c", database)
    for member in [*others, late, *others, late]:
        member.now += COUNTED_SECONDS
        await member.sharing.beat()
    assert late.gate.limit == 21
    late.now += 60.0
    await late.sharing.beat()
    assert late.gate.limit == 1


async def test_a_worker_that_cannot_write_its_heartbeat_gives_its_share_back(servers: Servers) -> None:
    nowhere = Database.connect("postgresql://nobody@127.0.0.1:1/none", application_name="test", pool_size=1)
    member = Member("a", nowhere)
    try:
        assert not await member.sharing.beat()
        assert member.gate.limit == 32
        member.now += CUT_OFF_SECONDS
        assert not await member.sharing.beat()
        assert member.gate.limit == 1
    finally:
        await asyncio.to_thread(nowhere.close)


async def test_a_pause_of_one_worker_is_kept_by_all(database: Database) -> None:
    one, other = Member("a", database), Member("b", database)
    one.sharing.pause_others(30.0)
    await one.sharing.beat()
    await other.sharing.beat()
    assert 25.0 < other.gate.snapshot().paused_for <= 30.0
    one.sharing.pause_others(5.0)
    await one.sharing.beat()
    late = Member("c", database)
    await late.sharing.beat()
    assert late.gate.snapshot().paused_for > 20.0


async def test_a_worker_that_leaves_takes_its_row_away(database: Database, bench: Workers) -> None:
    member = Member("a", database)
    await member.sharing.join()
    running = asyncio.ensure_future(member.sharing.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert await bench.sql("SELECT 1 FROM source.workers") == []


async def test_a_429_is_written_for_all_workers_and_costs_no_attempt(bench: Workers, database: Database) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=120, size=2_000, latency=0.1)
    async with bench.worker(replica=f"{bench.prefix}.1"), bench.worker(replica=f"{bench.prefix}.2"):
        job = await bench.ask(number)
        await wait_until_async(lambda: len(bench.told(job, "document.available")) >= 3)
        bench.pdpj.configure_source(SourceSetting(rate_limit=0.001, retry_after=3.0))
        await wait_until_async(lambda: bench.pdpj.metrics().by_status.get("429"))
        paused = await wait_until_async(lambda: bench.sql("SELECT until FROM source.pauses"))
        assert len(paused) == 1
        bench.pdpj.configure_source(SourceSetting())
        await bench.ended(job, timeout=60)
    bench.check_stored(number, job)
    assert {event["attempts"] for event in bench.told(job, "document.available")} == {1}


async def test_two_workers_together_keep_to_the_source_concurrency(bench: Workers, database: Database) -> None:
    # A source of its own: at the other one requests of earlier tests may still hang.
    with running_simulator() as running:
        bench.pdpj = running.control
        assert 4 < await most_at_once(bench) <= 8


async def most_at_once(bench: Workers) -> int:
    """Two workers that may ask for 8 together bring twelve cases: the most requests that it has seen at once."""
    numbers = [bench.fresh_number() for _ in range(12)]
    for number in numbers:
        bench.pdpj.put_case(number, documents=20, size=2_000, latency=0.05)
    settings = {"source_concurrency": 8, "download_concurrency": 8}
    async with bench.worker(replica=f"{bench.prefix}.1", **settings):
        both = [bench.registry]
        async with bench.worker(replica=f"{bench.prefix}.2", **settings):
            both.append(bench.registry)
            # A newcomer has the whole of its share when the others have counted it.
            await wait_until_async(lambda: [limit(each) for each in both] == [4, 4])
            jobs = [await bench.ask(number) for number in numbers]
            for job in jobs:
                await bench.ended(job, timeout=60)
    return bench.pdpj.metrics(by_case=False).max_in_flight


def limit(registry: CollectorRegistry) -> float | None:
    """How many requests a worker may have open."""
    return registry.get_sample_value("autos_downloader_source_limit")
