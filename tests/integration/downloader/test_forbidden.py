"""Workers tell one another, a person and the api that the source forbids everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.downloader.source_share.forbidden_watch import ForbiddenWatch
from shared.db import source_forbidden
from shared.db.engine import Database
from sources.errors import SourceForbidden
from tests.integration.downloader.workers import Workers
from tests.support import Servers


class Member:
    """One worker's watch, with a clock that the test turns and an alarm that counts."""

    def __init__(self, name: str, database: Database) -> None:
        self.now = 10_000.0
        self.alarms = 0
        self.watch = ForbiddenWatch(database, name, self, seconds=600.0, clock=lambda: self.now)

    def refused(self) -> None:
        self.alarms += 1

    async def forbid(self) -> None:
        """Two cases, for as long as it takes."""
        for case, at in (("a", 0.0), ("b", 601.0)):
            self.now = 10_000.0 + at
            self.watch.request_ended(case, SourceForbidden())
        await self.watch.once()


@pytest.fixture
async def database(servers: Servers, bench: Workers) -> AsyncIterator[Database]:
    await bench.sql("DELETE FROM source.workers")
    await bench.sql("INSERT INTO source.workers (worker_id) VALUES ('one'), ('two')")
    database = Database.connect(servers.role_urls["downloader"], application_name="test", pool_size=2)
    yield database
    await asyncio.to_thread(database.close)
    await bench.sql("DELETE FROM source.workers")


async def test_the_api_sees_it_until_the_source_answers_anybody(servers: Servers, database: Database) -> None:
    api = Database.connect(servers.role_urls["api"], application_name="test", pool_size=1)
    one, two = Member("one", database), Member("two", database)
    await one.forbid()
    seen = await api.run(source_forbidden.forbidden_for)
    assert seen is not None
    assert 600 < seen < 660
    assert one.alarms == 1
    two.watch.request_ended("c", None)
    await two.watch.once()
    assert await api.run(source_forbidden.forbidden_for) is None
    await one.watch.once()
    assert one.alarms == 1
    await asyncio.to_thread(api.close)


async def test_one_case_and_a_dead_worker_say_nothing(database: Database, bench: Workers) -> None:
    one, two = Member("one", database), Member("two", database)
    for _ in range(3):
        one.watch.request_ended("a", SourceForbidden())
        one.now += 600
    await one.watch.once()
    assert (one.alarms, await database.run(source_forbidden.forbidden_for)) == (0, None)
    await two.forbid()
    await bench.sql("UPDATE source.workers SET seen_at = now() - interval '11 seconds' WHERE worker_id = 'two'")
    assert await database.run(source_forbidden.forbidden_for) is None
