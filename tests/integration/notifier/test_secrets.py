"""Secrets that do not open: the delivery waits, spends no attempt, and goes out signed when the key is back."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from shared.db import catalog, delivery
from shared.secrets.keys import SecretKeys
from shared.secrets.owners import client_secret
from tests.integration.notifier.world import Running, World, receiving
from tests.support import wait_until_async

KEY, OTHER = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


async def test_a_delivery_waits_for_the_key_of_its_secret(
    world: World, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    client, secret = world.client()
    stored = SecretKeys([KEY]).to_store(secret, client_secret(client))
    table = delivery.deliveries

    def row() -> Any:
        with world.engine.connect() as connection:
            return connection.execute(select(table).where(table.c.client_id == client)).one_or_none()

    with world.engine.begin() as connection:
        connection.execute(
            update(catalog.clients).where(catalog.clients.c.client_id == client).values(webhook_secret=stored)
        )
    async with receiving() as receiver:
        job = world.job(client)
        async with running(secrets_key=OTHER):
            await world.publish(job.subscribed(receiver.url), job.completed())
            await wait_until_async(
                lambda: [one for one in caplog.records if getattr(one, "code", "") == "secrets_unreadable"],
                60,
                "the log line",
            )
        waits = row()
        assert (waits.status, waits.attempts, receiver.calls) == ("sending", 1, [])
        with world.engine.begin() as connection:
            made = (
                select(func.count())
                .select_from(delivery.attempts)
                .where(delivery.attempts.c.delivery_id == waits.delivery_id)
            )
            assert connection.execute(made).scalar_one() == 0
            # As if the lease had run out.
            connection.execute(update(table).where(table.c.client_id == client).values(lease_until=text("now()")))
        async with running(secrets_key=f"{OTHER},{KEY}"):
            await wait_until_async(lambda: row().status == "delivered", what="the delivery")
    (call,) = receiver.calls
    call.verify(secret)
    assert call.attempt == 1
