"""The gauges of endpoints and of what waits for them, from rows as the notifier leaves them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import update

from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import record_rows
from services.notifier.sending.attempt import Attempt
from services.notifier.sending.record_rows import RecordedAttempt
from services.notifier.sending.standing import DeliveryStanding
from shared.db import delivery
from shared.db.engine import Database
from tests.integration.notifier.test_store import NOW, POLICY, claim, create, result
from tests.integration.notifier.world import World

LONG_AGO = timedelta(days=400)
"""Longer than what any other test of the same database leaves behind."""


async def test_what_waits_is_shown_by_the_state_of_its_endpoint(world: World, database: Database) -> None:
    registry = CollectorRegistry()
    standing = DeliveryStanding(database, NotifierMetrics(registry))

    async def oldest() -> dict[str, float]:
        await standing.look()
        names = ("healthy", "failing", "disabled")
        found = {
            name: registry.get_sample_value("autos_webhook_oldest_undelivered_seconds", {"state": name})
            for name in names
        }
        return {name: value for name, value in found.items() if value is not None and value > LONG_AGO.total_seconds()}

    _, due = create(world, database, now=NOW - LONG_AGO)
    assert set(await oldest()) == {"healthy"}
    assert (registry.get_sample_value("autos_webhook_overdue_seconds") or 0) > LONG_AGO.total_seconds()
    assert (registry.get_sample_value("autos_webhook_endpoints", {"state": "healthy"}) or 0) >= 1

    claimed = claim(database, due)
    assert claimed is not None
    assert await oldest() == {}
    failed = _record(database, result(claimed, 500))
    assert (failed.state.value, failed.seconds) == ("healthy", None)
    assert set(await oldest()) == {"failing"}
    # Its next attempt lies ahead, and a receiver that fails is not our being late.
    assert (registry.get_sample_value("autos_webhook_overdue_seconds") or 0) < LONG_AGO.total_seconds()

    with database.transaction() as connection:
        this = delivery.endpoints.c.endpoint_id == due.endpoint_id
        connection.execute(update(delivery.endpoints).where(this).values(disabled_at=NOW))
    assert set(await oldest()) == {"disabled"}


def test_a_success_tells_how_long_its_delivery_took_unless_it_was_asked_for_again(
    world: World, database: Database
) -> None:
    _, due = create(world, database, now=NOW - timedelta(seconds=30))
    claimed = claim(database, due)
    assert claimed is not None
    delivered = _record(database, result(claimed))
    assert delivered.seconds == pytest.approx(30, abs=1)
    with database.transaction() as connection:
        this = delivery.deliveries.c.delivery_id == due.delivery_id
        renewed = {"status": "pending", "round_attempts": 0, "next_attempt_at": NOW}
        connection.execute(update(delivery.deliveries).where(this).values(**renewed))
    again = claim(database, due)
    assert again is not None
    assert _record(database, result(again)).seconds is None


def _record(database: Database, attempt: Attempt) -> RecordedAttempt:
    with database.transaction() as connection:
        (recorded,) = record_rows.record(connection, [attempt], NOW, POLICY, disable_after=timedelta(days=5))
    return recorded
