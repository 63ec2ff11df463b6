"""The reference in a webhook: that of the client which it is for, given with its URL or with the job."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select

from services.notifier.intake.completion_rows import delivery_id
from shared.db import catalog, delivery
from tests.integration.notifier.world import Running, World, receiving
from tests.support import wait_until_async


async def test_each_webhook_has_the_reference_of_its_own_client(world: World, running: Running) -> None:
    (one, _), (two, _) = world.client(), world.client()
    job = world.job(one)
    with world.engine.begin() as connection:
        now = datetime.now(UTC)
        row = {"job_id": job.job_id, "client_id": one, "reference": "of the job", "given_at": now}
        connection.execute(insert(catalog.job_references).values(row))
    async with receiving() as receiver, running():
        own = job.subscribed(f"{receiver.url}/own").model_copy(update={"reference": "of the URL"})
        plain = job.subscribed(f"{receiver.url}/plain")
        others = job.subscribed(f"{receiver.url}/others").model_copy(
            update={"client_id": two, "subscription_id": "7c8d9e0f-1a2b-4c3d-8e4f-5a6b7c8d9e0f"}
        )
        changed = own.model_copy(update={"reference": "of the URL, later"})
        await world.publish(own, plain, others, changed)
        known = select(delivery.subscriptions.c.reference).where(delivery.subscriptions.c.job_id == job.job_id)

        def all_known() -> bool:
            with world.engine.connect() as connection:
                return sorted(map(str, connection.execute(known).scalars())) == ["None", "None", "of the URL, later"]

        await wait_until_async(all_known)
        await world.publish(job.completed())
        await world.until(job.delivery(own.url), "delivered")
        await world.until(job.delivery(plain.url), "delivered")
        await world.until(delivery_id(others.subscription_id), "delivered")
    found = {call.delivery_id: call.data["reference"] for call in receiver.calls}
    assert found == {
        job.delivery(own.url): "of the URL, later",
        job.delivery(plain.url): "of the job",
        delivery_id(others.subscription_id): None,
    }
