"""Alerts in the database: told at least once whoever dies, and nothing told that is no longer so."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from services.notifier.alerts import endpoint_alert_rows
from services.notifier.alerts.messages import EndpointAlert
from services.notifier.intake import request_rows
from shared.db import delivery
from shared.db.engine import Database
from shared.events.webhook_subscribed import EndpointEnableRequested
from tests.integration.notifier.world import World

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


class Trouble:
    """An endpoint about which people have to be told; no other one has such."""

    def __init__(self, world: World, database: Database, reason: str) -> None:
        self._world = world
        self._database = database
        self.id, self.client = str(uuid.uuid4()), f"client-{uuid.uuid4().hex[:8]}"
        table = delivery.endpoints
        with world.engine.begin() as connection:
            connection.execute(update(table).values(alert_reason=None))
            connection.execute(
                insert(table).values(
                    endpoint_id=self.id,
                    client_id=self.client,
                    url="http://a.example/hook",
                    origin="http://a.example",
                    alert_reason=reason,
                    disabled_at=NOW if reason == "disabled" else None,
                    disabled_reason="answered_gone" if reason == "disabled" else None,
                )
            )

    def give_up(self, at: datetime) -> None:
        """A delivery is exhausted."""
        ids = {name: str(uuid.uuid4()) for name in ("delivery_id", "subscription_id", "job_id")}
        with self._world.engine.begin() as connection:
            connection.execute(
                insert(delivery.deliveries).values(
                    **ids,
                    process_number="1000145-91.2023.8.26.0597",
                    client_id=self.client,
                    endpoint_id=self.id,
                    url="http://a.example/hook",
                    status="exhausted",
                    created_at=at,
                    updated_at=at,
                )
            )

    def claim(self, now: datetime) -> EndpointAlert | None:
        with self._database.transaction() as connection:
            return endpoint_alert_rows.claim(connection, now, interval=HOUR)

    def mark_sent(self, alert: EndpointAlert) -> None:
        with self._database.transaction() as connection:
            endpoint_alert_rows.mark_sent(connection, alert)

    def enable(self) -> None:
        with self._database.transaction() as connection:
            asked = EndpointEnableRequested(endpoint_id=self.id, client_id=self.client)
            request_rows.enable_endpoints(connection, [asked], NOW)

    @property
    def row(self) -> Any:
        table = delivery.endpoints
        with self._world.engine.connect() as connection:
            return connection.execute(select(table).where(table.c.endpoint_id == self.id)).one()


def test_an_alert_whose_sender_died_is_sent_again_within_minutes(world: World, database: Database) -> None:
    trouble = Trouble(world, database, "exhausted")
    trouble.give_up(NOW)
    first = trouble.claim(NOW)
    assert first is not None
    assert first.exhausted == 1
    # It is held, and its holder dies: whether people were told or not, nobody knows.
    assert trouble.claim(NOW + endpoint_alert_rows.LEASE - timedelta(seconds=1)) is None
    again = trouble.claim(NOW + endpoint_alert_rows.LEASE)
    assert again is not None
    assert (again.endpoint_id, again.exhausted) == (first.endpoint_id, 1)
    # The first one was only slow: its word does not count any more.
    trouble.mark_sent(first)
    assert trouble.row.alert_reason == "exhausted"
    trouble.mark_sent(again)
    assert (trouble.row.alert_reason, trouble.row.alerted_at) == (None, again.at)


def test_what_did_not_get_out_is_tried_again(world: World, database: Database) -> None:
    trouble = Trouble(world, database, "exhausted")
    alert = trouble.claim(NOW)
    assert alert is not None
    with database.transaction() as connection:
        endpoint_alert_rows.put_off(connection, alert, NOW + timedelta(seconds=10))
    assert trouble.claim(NOW + timedelta(seconds=9)) is None
    assert trouble.claim(NOW + timedelta(seconds=10)) is not None


@pytest.mark.parametrize("reason", ["exhausted", "disabled"])
def test_what_is_given_up_while_an_alert_is_sent_is_alerted_an_hour_later(
    world: World, database: Database, reason: str
) -> None:
    trouble = Trouble(world, database, reason)
    trouble.give_up(NOW - timedelta(seconds=1))
    alert = trouble.claim(NOW)
    assert alert is not None
    trouble.give_up(NOW + timedelta(seconds=1))
    trouble.mark_sent(alert)
    assert trouble.row.alert_reason == "exhausted"
    assert trouble.claim(NOW + HOUR - timedelta(seconds=1)) is None
    later = trouble.claim(NOW + HOUR)
    assert later is not None
    assert (later.reason, later.exhausted) == ("exhausted", 1)


def test_an_endpoint_that_is_enabled_again_causes_no_alert(world: World, database: Database) -> None:
    trouble = Trouble(world, database, "disabled")
    trouble.enable()
    assert (trouble.row.disabled_at, trouble.row.alert_reason) == (None, None)
    assert trouble.claim(NOW) is None


@pytest.mark.parametrize("reason", ["disabled", "exhausted"])
def test_enabling_an_endpoint_keeps_the_news_of_what_was_given_up(
    world: World, database: Database, reason: str
) -> None:
    trouble = Trouble(world, database, reason)
    trouble.give_up(NOW)
    trouble.enable()
    alert = trouble.claim(NOW)
    assert alert is not None
    assert (alert.reason, alert.exhausted) == ("exhausted", 1)
    assert "None" not in alert.text
