"""Registered endpoints: they hear of every job of their client's cases, once, with what is theirs."""

from __future__ import annotations

import base64
import os
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from services.notifier.intake import completion_rows, registered_rows
from shared.db import catalog, delivery
from shared.db.webhook_endpoints import webhook_endpoints
from shared.domain.api_keys import new_webhook_secret
from shared.events.webhook_subscribed import CaseAsked, EndpointChanged
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import SealingKeys
from tests.integration.notifier.world import Job, Running, World, always, receiving, status
from tests.support import wait_until_async

KEY = base64.b64encode(os.urandom(32)).decode()


def register(world: World, client: str, url: str, **more: Any) -> tuple[str, str]:
    """An endpoint as the api writes it: its id and secret."""
    endpoint_id, secret, now = str(uuid.uuid4()), new_webhook_secret(), datetime.now(UTC)
    row = {
        "endpoint_id": endpoint_id,
        "client_id": client,
        "url": url,
        "events": ["process.completed"],
        "payload": "full",
        "header_names": [],
        "secret": secret,
        "created_at": now,
        "updated_at": now,
        **more,
    }
    with world.engine.begin() as connection:
        connection.execute(insert(webhook_endpoints).values(row))
    return endpoint_id, secret


def asks(world: World, client: str, job: Job, *, sealed: bool = False, joins: bool = False) -> None:
    now = datetime.now(UTC)
    with world.engine.begin() as connection:
        connection.execute(
            insert(catalog.process_requests).values(
                client_id=client,
                process_number=job.process_number,
                first_requested_at=now,
                last_requested_at=now,
                sealed=sealed,
            )
        )
        if joins:
            connection.execute(insert(catalog.job_clients).values(job_id=job.job_id, client_id=client, joined_at=now))


def of_client(world: World, client: str) -> list[Any]:
    table = delivery.deliveries
    with world.engine.connect() as connection:
        return list(connection.execute(select(table).where(table.c.client_id == client)))


async def delivered(world: World, client: str, count: int) -> list[Any]:
    def found() -> list[Any] | None:
        rows = [row for row in of_client(world, client) if row.status == "delivered"]
        return rows if len(rows) == count else None

    rows: Any = await wait_until_async(found, what=f"{count} deliveries")
    return list(rows)


async def test_each_client_of_a_case_hears_of_its_end_once_at_each_endpoint(world: World, running: Running) -> None:
    first, secret_of_first = world.client()
    second, _ = world.client()
    stranger, _ = world.client()
    async with receiving() as receiver, running():
        job = world.job(first)
        one, one_secret = register(world, first, receiver.url)
        two, two_secret = register(world, first, f"{receiver.url}?two", payload="thin")
        other, other_secret = register(world, second, receiver.url)
        register(world, stranger, receiver.url)
        for client in (first, second):
            asks(world, client, job)
        await world.publish(job.subscribed(receiver.url), job.completed(), repeat=3)
        await delivered(world, first, 3)
        await delivered(world, second, 1)
        assert of_client(world, stranger) == []
    rows = {row.endpoint_id: row for row in [*of_client(world, first), *of_client(world, second)]}
    secrets = {one: one_secret, two: two_secret, other: other_secret}
    assert len(receiver.calls) == 4 and secrets.keys() < rows.keys()
    for endpoint_id, secret in secrets.items():
        (call,) = receiver.of(rows[endpoint_id].delivery_id)
        body = call.verify(secret)
        assert (body["type"], body["data"]["job_id"]) == ("process.completed", job.job_id)
        assert body["data"]["documents_truncated"] is (endpoint_id == two)
    (by_url,) = receiver.of(job.delivery(receiver.url))
    by_url.verify(secret_of_first)


async def test_headers_are_sent_and_an_endpoint_whose_key_is_gone_fails_with_a_code(
    world: World, running: Running
) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running(webhook_sealing_keys=KEY, webhook_retry_delays="3600"):
        job = world.job(client)
        asks(world, client, job)
        endpoint_id, _ = register(world, client, receiver.url)
        broken, _ = register(world, client, receiver.url)
        own = {"Authorization": "Bearer of the receiver", "X-Tenant": "7"}
        sealed = {
            endpoint_id: HeaderKeys(sealing=SealingKeys([KEY])).seal(own, endpoint_id),
            # Of another endpoint: it does not open here.
            broken: HeaderKeys(sealing=SealingKeys([KEY])).seal(own, endpoint_id),
        }
        for name, value in sealed.items():
            assert value is not None and b"Bearer" not in value
            with world.engine.begin() as connection:
                table = webhook_endpoints
                connection.execute(update(table).where(table.c.endpoint_id == name).values(sealed_headers=value))
        await world.publish(job.completed())
        await delivered(world, client, 1)
        waits: Any = await wait_until_async(
            lambda: [row for row in of_client(world, client) if row.status == "waiting"], 60, "waiting"
        )
    (call,) = receiver.calls
    assert (call.headers["authorization"], call.headers["x-tenant"]) == ("Bearer of the receiver", "7")
    assert [(row.endpoint_id, row.last_error_code) for row in waits] == [(broken, "headers_not_opened")]


async def test_a_sealed_case_is_told_to_those_who_may_know_of_it(world: World, running: Running) -> None:
    starter, _ = world.client()
    knows, _ = world.client()
    joined, _ = world.client()
    outside, _ = world.client()
    async with receiving() as receiver, running():
        job = world.job(starter, documents=2, level=3, sealed=2)
        asks(world, knows, job, sealed=True)
        asks(world, joined, job, joins=True)
        asks(world, outside, job)
        ids = {client: register(world, client, receiver.url)[0] for client in (knows, joined, outside)}
        await world.publish(job.completed())
        (told,) = await delivered(world, knows, 1)
        (other,) = await delivered(world, joined, 1)
        assert of_client(world, outside) == []
    (call,) = receiver.of(told.delivery_id)
    assert (call.data["status"], call.data["documents"], call.data["documents_total"]) == ("completed", [], 2)
    (absent,) = receiver.of(other.delivery_id)
    assert (absent.data["status"], absent.data["error_code"]) == ("failed", "process_not_found")
    assert told.endpoint_id == ids[knows]


async def test_a_changed_url_is_called_and_what_a_removed_endpoint_waits_for_is_cancelled(
    world: World, running: Running
) -> None:
    client, _ = world.client()
    async with receiving(always(500)) as dead, receiving() as alive, running(webhook_retry_delays="0.2,0.2,3600"):
        job = world.job(client)
        asks(world, client, job)
        moved, _ = register(world, client, dead.url)
        removed, _ = register(world, client, f"{dead.url}/other")
        await world.publish(job.completed())
        await wait_until_async(lambda: len(dead.calls) >= 2, what="both were tried")
        table = webhook_endpoints
        with world.engine.begin() as connection:
            connection.execute(update(table).where(table.c.endpoint_id == moved).values(url=alive.url))
            connection.execute(delete(table).where(table.c.endpoint_id == removed))
        for endpoint_id in (moved, removed):
            await world.publish(EndpointChanged(endpoint_id=endpoint_id, client_id=client))
        await delivered(world, client, 1)
        await wait_until_async(
            lambda: {row.status for row in of_client(world, client)} == {"delivered", "cancelled"}, 60, "cancelled"
        )
        # The call goes to the new address at once; the event that tells of it is read when it comes.
        health = select(delivery.endpoints.c.url, delivery.endpoints.c.registered).where(
            delivery.endpoints.c.endpoint_id == moved
        )

        def standing() -> tuple[str, bool]:
            with world.engine.connect() as connection:
                url, registered = connection.execute(health).one()
            return url, registered

        await wait_until_async(lambda: standing() == (alive.url, True), what="the new address")
    (call,) = alive.calls
    assert call.delivery_id


async def test_a_client_that_asks_for_a_case_that_has_ended_is_told_of_its_end(world: World, running: Running) -> None:
    starter, _ = world.client()
    late, _ = world.client()
    async with receiving() as receiver, running():
        job = world.job(starter)
        await world.publish(job.subscribed(receiver.url), job.completed())
        await delivered(world, starter, 1)
        register(world, late, receiver.url)
        asks(world, late, job)
        asked = CaseAsked(job_id=job.job_id, process_number=job.process_number, client_id=late)
        await world.publish(asked, repeat=2)
        await delivered(world, late, 1)
    assert len(receiver.calls) == 2


async def test_an_endpoint_gets_no_more_than_its_rate(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running():
        endpoint_id, _ = register(world, client, receiver.url, rate="10/second")
        jobs = [world.job(client, documents=1) for _ in range(8)]
        for job in jobs:
            asks(world, client, job)
        await world.publish(*(job.completed() for job in jobs))
        await delivered(world, client, len(jobs))
    times = sorted(call.at for call in receiver.calls)
    # Eight deliveries have seven intervals of a tenth of a second between them; a machine may be late, never early.
    assert times[-1] - times[0] >= 0.65
    with world.engine.connect() as connection:
        health = delivery.endpoints
        assert (
            connection.execute(select(health.c.least_seconds).where(health.c.endpoint_id == endpoint_id)).scalar()
            == 0.1
        )


async def test_the_rate_of_an_endpoint_holds_over_all_replicas(world: World, running: Running) -> None:
    client, _ = world.client()
    # What each of them has is its own: no sweep finds it while it waits.
    quiet = {"webhook_sweep_seconds": 30}
    async with receiving() as receiver, running(**quiet) as one, running(**quiet) as other:
        register(world, client, receiver.url, rate="4/second")
        jobs = [world.job(client, documents=0) for _ in range(8)]
        for job in jobs:
            asks(world, client, job)
        now, ends = datetime.now(UTC), [job.completed() for job in jobs]
        with world.engine.begin() as connection:
            completion_rows.add_completions(connection, ends, now)
            ids = [job.job_id for job in jobs]
            interested = registered_rows.interested_endpoints(connection, ids, None)
            registered_rows.subscribe_endpoints(connection, ends, interested, now)
            _, due = completion_rows.create_deliveries(connection, ids, now)
        assert one.dispatcher.offer(due[::2]) == other.dispatcher.offer(due[1::2]) == 4
        await delivered(world, client, len(jobs))
    times = sorted(call.at for call in receiver.calls)
    assert len(times) == len(jobs)
    # From the second to the last it is 1.5 s, and 0.75 s if each replica counted by itself. The first may come late.
    assert times[-1] - times[1] >= 1.2


async def test_express_with_its_default_limit_takes_a_case_of_two_thousand_documents(
    world: World, running: Running
) -> None:
    client, _ = world.client()

    async def express(call: Any) -> bytes:
        return status(413 if len(call.body) > 100 * 1024 else 200)

    async with receiving(express) as receiver, running(webhook_retry_delays="3600"):
        job = world.job(client, documents=2_000)
        asks(world, client, job)
        _, secret = register(world, client, receiver.url)
        await world.publish(job.completed())
        (row,) = await delivered(world, client, 1)
        for count, documents in ((2, 150), (3, 3)):
            again = world.job(client, documents=documents)
            asks(world, client, again)
            await world.publish(again.completed())
            await delivered(world, client, count)
    last = receiver.of(row.delivery_id)[-1]
    data = last.verify(secret)["data"]
    assert len(last.body) <= 100 * 1024
    assert (data["total_documents"], data["documents"], data["documents_truncated"]) == (2_000, [], True)
    assert data["documents_url"].endswith(f"/processes/{job.process_number}/documents")
    # The first is beyond our own bound, the second is refused once, which is remembered for the third.
    assert [(call.attempt, call.data["documents_truncated"]) for call in receiver.calls] == [
        (1, True),
        (1, False),
        (2, True),
        (1, True),
    ]
