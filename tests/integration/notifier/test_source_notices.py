"""A change of a source is told once, whatever the number of replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.notifier.alerts.source_notices import STEADY, SourceNotices
from shared.clock import utc_now
from shared.db.engine import Database, make_engine
from tests.support import Servers


@pytest.fixture
def owner(servers: Servers) -> Iterator[Engine]:
    engine = make_engine(servers.owner_url, application_name="test", pool_size=2)
    clean = "DELETE FROM source.states; DELETE FROM delivery.source_notices"
    with engine.begin() as connection:
        connection.execute(text(clean))
    yield engine
    with engine.begin() as connection:
        connection.execute(text(clean))
    engine.dispose()


def stands(owner: Engine, state: str, reason: str | None, *, seconds: float) -> None:
    statement = text("""
    INSERT INTO source.states (source, state, reason, since)
    VALUES ('court', :state, :reason, now() - make_interval(secs => :seconds))
        ON CONFLICT (source) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since
    """)
    with owner.begin() as connection:
        connection.execute(statement, {"state": state, "reason": reason, "seconds": seconds})


def told(owner: Engine) -> list[Any]:
    statement = (
        "SELECT type, aggregatetype, aggregateid, payload FROM delivery.outbox WHERE aggregateid = 'court' ORDER BY seq"
    )
    with owner.begin() as connection:
        return list(connection.execute(text(statement)).all())


async def test_replicas_tell_of_an_outage_and_of_its_end_once(servers: Servers, owner: Engine) -> None:
    databases = [
        Database.connect(servers.role_urls["notifier"], application_name=f"test-{one}", pool_size=1) for one in range(3)
    ]
    replicas = [SourceNotices(database, utc_now) for database in databases]

    async def round_of_all() -> int:
        return sum(await asyncio.gather(*(replica.round() for replica in replicas)))

    stands(owner, "open", None, seconds=100)
    assert await round_of_all() == 0
    stands(owner, "away", "source_unavailable", seconds=5)
    assert await round_of_all() == 1
    assert await round_of_all() == 0
    stands(owner, "open", None, seconds=1)
    assert await round_of_all() == 0
    stands(owner, "open", None, seconds=(STEADY + timedelta(seconds=1)).total_seconds())
    assert await round_of_all() == 1
    events = told(owner)
    assert [event.type for event in events] == ["autos.source.degraded", "autos.source.recovered"]
    assert {(event.aggregatetype, event.aggregateid) for event in events} == {("webhook.events", "court")}
    assert '"reason":"source_unavailable"' in events[0].payload
    for database in databases:
        database.close()
