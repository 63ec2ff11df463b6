"""GET /source/status: what the downloaders wrote of a source, for every key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from sqlalchemy import Engine, text

from services.downloader.source_share import status_rows, worker_rows
from services.downloader.source_share.request_counts import CountKey
from shared.db.engine import Database
from shared.domain.source_state import OPEN_FINDING, SourceFinding, SourceState
from tests.integration.api.scripted import MakeApp, MakeKey, client_of
from tests.support import Servers

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
AWAY = SourceFinding(SourceState.AWAY, "source_unavailable", 60.0)
TABLES = ("source.workers", "source.states", "source.request_hours")


class Downloaders:
    """Workers as their own role writes them."""

    def __init__(self, url: str, owner: Engine) -> None:
        self.database = Database.connect(url, application_name="test", pool_size=2)
        self._owner = owner

    def report(self, finding: SourceFinding, worker: str = "one") -> None:
        with self.database.transaction() as connection:
            worker_rows.write_heartbeat(connection, worker)
            status_rows.report(connection, worker, "pdpj", finding)

    def count(self, hour: datetime, court: str, outcome: str, bucket: int, requests: int) -> None:
        with self.database.transaction() as connection:
            status_rows.add(connection, "pdpj", {CountKey(hour, court, outcome, bucket): requests})

    def execute(self, statement: str) -> None:
        with self._owner.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def downloaders(servers: Servers, owner: Engine) -> Iterator[Downloaders]:
    made = Downloaders(servers.role_urls["downloader"], owner)
    for table in TABLES:
        made.execute(f"DELETE FROM {table}")
    yield made
    for table in TABLES:
        made.execute(f"DELETE FROM {table}")
    made.database.close()


async def test_it_says_how_the_source_stands_and_did(
    make_app: MakeApp, new_key: MakeKey, downloaders: Downloaders
) -> None:
    app = make_app()
    document = app.openapi()
    async with client_of(app, new_key(scopes=["webhooks"])) as api:
        assert (await api.get("/source/status")).json() == {"sources": []}
    downloaders.report(AWAY)
    for hour, court, outcome, bucket, requests in (
        (HOUR, "8.26", "succeeded", 2, 6),
        (HOUR, "8.26", "succeeded", 2, 4),
        (HOUR, "4.03", "source_throttled", -1, 2),
        (HOUR - timedelta(days=29), "4.03", "source_unavailable", -1, 5),
        (HOUR - timedelta(days=31), "4.03", "source_unavailable", -1, 99),
    ):
        downloaders.count(hour, court, outcome, bucket, requests)
    async with client_of(make_app(), new_key(scopes=["webhooks"])) as api:
        answer = await api.get("/source/status")
        schema = {"$ref": "#/components/schemas/SourceStatus", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())
        (source,) = answer.json()["sources"]
        assert (source["source"], source["state"], source["reason"]) == ("pdpj", "away", "source_unavailable")
        assert "does not answer" in source["message"]
        age = datetime.now(UTC) - datetime.fromisoformat(source["since"])
        assert timedelta(seconds=59) < age < timedelta(minutes=5)
        assert [(hour["requests"], hour["succeeded"], hour["throttled"]) for hour in source["hours"]] == [
            (5, 0, 0),
            (12, 10, 2),
        ]
        assert source["hours"][0]["failures"] == {"source_unavailable": 5}
        assert 100 <= source["hours"][1]["latency_p50_ms"] <= 250
        assert [(court["court"], court["requests"]) for court in source["courts"]] == [("4.03", 7), ("8.26", 10)]
        (one,) = (await api.get("/source/status", params={"court": "8.26"})).json()["sources"]
        assert [hour["requests"] for hour in one["hours"]] == [10]
        assert [court["court"] for court in one["courts"]] == ["8.26"]
        # As every other route: HEAD, a tag that is good until something changes, a key, no unknown parameter.
        tag = {"If-None-Match": answer.headers["etag"]}
        assert (await api.get("/source/status", headers=tag)).status_code == 304
        assert (await api.head("/source/status")).headers["etag"] == answer.headers["etag"]
        downloaders.report(OPEN_FINDING)
        assert (await api.get("/source/status", headers=tag)).json()["sources"][0]["state"] == "open"
        assert (await api.get("/source/status", params={"court": "TJSP"})).status_code == 422
    async with client_of(make_app(), "nobody") as stranger:
        assert (await stranger.get("/source/status")).status_code == 401


async def test_without_a_downloader_nobody_knows(make_app: MakeApp, new_key: MakeKey, downloaders: Downloaders) -> None:
    downloaders.report(AWAY)
    downloaders.execute("UPDATE source.workers SET seen_at = now() - interval '1 minute'")
    async with client_of(make_app(), new_key()) as api:
        (source,) = (await api.get("/source/status")).json()["sources"]
    assert (source["state"], source["reason"]) == ("unknown", "nobody_asks")


def test_a_change_is_written_once_and_its_beginning_is_the_first_ones(downloaders: Downloaders) -> None:
    def state() -> Any:
        with downloaders.database.transaction() as connection:
            return connection.execute(text("SELECT state, reason, since FROM source.states")).one()

    downloaders.report(OPEN_FINDING, "two")
    downloaders.report(AWAY, "one")
    first = state()
    assert (first.state, first.reason) == ("away", "source_unavailable")
    downloaders.report(SourceFinding(SourceState.AWAY, "source_unavailable", 30.0), "two")
    assert state() == first
    downloaders.report(OPEN_FINDING, "one")
    downloaders.report(SourceFinding(SourceState.OPEN, None, 0.0, answered_ago=0.0), "two")
    assert state().state == "open"
    assert state().since > first.since


def test_counts_of_two_workers_add_up_and_end_after_thirty_days(downloaders: Downloaders) -> None:
    async def both() -> None:
        key = CountKey(HOUR, "8.26", "succeeded", 3)
        await asyncio.gather(
            *(
                downloaders.database.run(lambda connection: status_rows.add(connection, "pdpj", {key: 5}))
                for _ in range(6)
            )
        )

    asyncio.run(both())
    downloaders.count(HOUR - timedelta(days=31), "8.26", "succeeded", 3, 1)
    with downloaders.database.transaction() as connection:
        status_rows.prune(connection)
        rows = connection.execute(text("SELECT hour, requests FROM source.request_hours")).all()
    assert [(row.hour, row.requests) for row in rows] == [(HOUR, 30)]
