"""``source.degraded`` and ``source.recovered`` at the endpoints that asked for them, and at no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.notifier.alerts.source_notices import STEADY, SourceNotices
from shared.clock import utc_now
from shared.db.engine import Database
from shared.events.webhook_subscribed import RedeliveryRequested
from tests.integration.notifier.test_registered_endpoints import delivered, of_client, register
from tests.integration.notifier.world import Running, World, in_turn, receiving
from tests.support import Servers, wait_until_async

BOTH = ["source.degraded", "source.recovered"]


@pytest.fixture
def court(world: World) -> Iterator[str]:
    """The name of a source of which nothing was told."""
    clean = "DELETE FROM source.states; DELETE FROM delivery.source_notices"
    with world.engine.begin() as connection:
        connection.execute(text(clean))
    yield "court-of-events"
    with world.engine.begin() as connection:
        connection.execute(text(clean))


@pytest.fixture
def databases(servers: Servers) -> Iterator[list[Database]]:
    """Of two replicas more, which look at the sources when they are told to."""
    url = servers.role_urls["notifier"]
    made = [Database.connect(url, application_name=f"test-{one}", pool_size=1) for one in range(2)]
    yield made
    for database in made:
        database.close()


def stands(world: World, court: str, state: str, reason: str | None, *, since: timedelta = timedelta()) -> None:
    statement = text("""
    INSERT INTO source.states (source, state, reason, since) VALUES (:source, :state, :reason, now() - :since)
        ON CONFLICT (source) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since
    """)
    with world.engine.begin() as connection:
        connection.execute(statement, {"source": court, "state": state, "reason": reason, "since": since})


async def test_who_asked_for_it_is_told_once_that_a_source_is_away_and_that_it_is_back(
    world: World, running: Running, court: str, databases: list[Database]
) -> None:
    wants, _ = world.client()
    other, _ = world.client()
    # The first attempt of each fails, and replicas more make no event more.
    notices = [SourceNotices(database, utc_now) for database in databases]
    async with receiving(in_turn(500, 204)) as receiver, running(webhook_retry_delays="0.1"):
        _, secret = register(world, wants, receiver.url, events=BOTH)
        register(world, other, receiver.url)
        stands(world, court, "away", "source_unavailable")
        await asyncio.gather(*(one.round() for one in notices))
        (row,) = await delivered(world, wants, 1)
        assert (row.event_type, row.process_number) == ("source.degraded", None)
        stands(world, court, "open", None, since=STEADY)
        await asyncio.gather(*(one.round() for one in notices))
        rows = await delivered(world, wants, 2)
        assert of_client(world, other) == []
        told: dict[str, Any] = {}
        for one in rows:
            failed, succeeded = receiver.of(one.delivery_id)
            assert failed.body == succeeded.body
            told[one.event_type] = succeeded.verify(secret)
        assert told["source.degraded"]["data"].items() >= {"source": court, "state": "away"}.items()
        assert told["source.degraded"]["data"]["reason"] == "source_unavailable"
        assert told["source.recovered"]["data"].items() >= {"source": court, "state": "open"}.items()

        await world.publish(RedeliveryRequested(delivery_id=row.delivery_id, job_id=row.job_id, client_id=wants))
        await wait_until_async(lambda: len(receiver.of(row.delivery_id)) >= 3, what="the same again")
