"""The notifier on the real servers: what is sent, what is recorded, what is tried again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from shared.db import catalog
from shared.events.process_completed import JobOutcome
from shared.events.webhook_subscribed import EndpointEnableRequested, RedeliveryRequested
from tests.integration.notifier.world import (
    Running,
    World,
    accept,
    always,
    in_turn,
    never,
    receiving,
    status,
)
from tests.support import wait_until_async
from tests.tcp import tcp_server


async def test_a_finished_job_is_delivered_signed_and_whole(world: World, running: Running) -> None:
    client, secret = world.client()
    async with receiving() as receiver, running():
        job = world.job(client, documents=3, failed=1)
        await world.publish(job.subscribed(receiver.url), job.completed(JobOutcome.PARTIAL, failed=1))
        row = await world.until(job.delivery(receiver.url), "delivered")
    (call,) = receiver.of(row.delivery_id)
    body = call.verify(secret)
    assert body["type"] == "process.completed"
    data = body["data"]
    assert (data["job_id"], data["process_number"], data["status"]) == (job.job_id, job.process_number, "partial")
    assert (data["total_documents"], data["completed_documents"], data["failed_documents"]) == (3, 2, 1)
    assert data["progress_percentage"] == 100.0
    assert data["process"]["court"] == "TJSP"
    assert data["process"]["claim_value"] == 1234.56
    assert [document["id"] for document in data["documents"]] == list(job.documents)
    failed, available, _ = data["documents"]
    assert (failed["status"], failed["error_code"], failed["download_url"]) == ("failed", "no_access", None)
    assert available["status"] == "available"
    assert available["download_url"].startswith("http")
    # The name has no extension, and whoever saves it gets one.
    assert quote(quote("Petição 1.pdf")) in available["download_url"]
    assert available["download_url_expires_at"].endswith("Z")
    assert (call.attempt, row.attempts) == (1, 1)
    (attempt,) = world.attempts(row.delivery_id)
    assert (attempt.status_code, attempt.succeeded, attempt.address) == (204, True, "127.0.0.1")
    assert world.outbox_of(row.delivery_id) == [("webhook.events", "autos.webhook.delivered")]


async def test_a_subscription_and_a_completion_meet_in_any_order_once(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running():
        early, late = world.job(client), world.job(client)
        await world.publish(early.subscribed(receiver.url), repeat=2)
        await world.publish(late.completed(), repeat=2)
        await world.publish(early.completed(), repeat=2)
        await world.publish(late.subscribed(receiver.url), late.subscribed(f"{receiver.url}/other"), repeat=2)
        wanted = [early.delivery(receiver.url), late.delivery(receiver.url), late.delivery(f"{receiver.url}/other")]
        for delivery in wanted:
            await world.until(delivery, "delivered")
        # Whatever was repeated has been handled once this later one has arrived.
        await world.until(await world.start(receiver.url, client), "delivered")
    for delivery in wanted:
        assert [call.attempt for call in receiver.of(delivery)] == [1]


async def test_a_job_for_one_document_tells_of_that_one(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running():
        job = world.job(client, documents=3, scope="first")
        await world.publish(job.subscribed(receiver.url), job.completed())
        await world.until(job.delivery(receiver.url), "delivered")
    assert [document["id"] for document in receiver.calls[0].data["documents"]] == [job.documents[0]]


async def test_a_large_case_is_delivered_whole(world: World, running: Running) -> None:
    client, secret = world.client()
    async with receiving() as receiver, running():
        delivery = await world.start(receiver.url, client, documents=700)
        await world.until(delivery, "delivered")
    assert len(receiver.calls[0].verify(secret)["data"]["documents"]) == 700


async def test_a_failed_attempt_is_repeated_through_the_topics_with_the_same_id(world: World, running: Running) -> None:
    client, secret = world.client()
    # The sweeper looks rarely: it is the topics that wake.
    async with receiving(in_turn(503, 302, 200)) as receiver, running(webhook_sweep_seconds=30):
        delivery = await world.start(receiver.url, client)
        row = await world.until(delivery, "delivered")
    calls = receiver.of(delivery)
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert calls[1].at - calls[0].at >= 0.2
    assert calls[2].at - calls[1].at >= 0.3
    for call in calls:
        call.verify(secret)
    assert row.attempts == 3
    assert [(attempt.status_code, attempt.error_code) for attempt in world.attempts(delivery)] == [
        (503, "http_503"),
        (302, "redirect_refused"),
        (200, None),
    ]
    assert world.outbox_of(delivery) == [
        ("webhook.events", "autos.webhook.attempt_failed"),
        ("webhook.retry.5s", "autos.webhook.retry"),
        ("webhook.events", "autos.webhook.attempt_failed"),
        ("webhook.retry.5s", "autos.webhook.retry"),
        ("webhook.events", "autos.webhook.delivered"),
    ]


async def test_the_last_failure_exhausts_and_a_redelivery_starts_a_new_round(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(always(500)) as receiver, running():
        job = world.job(client)
        await world.publish(job.subscribed(receiver.url), job.completed())
        delivery = job.delivery(receiver.url)
        row = await world.until(delivery, "exhausted")
        assert (row.attempts, row.last_error_code) == (4, "http_500")
        assert world.outbox_of(delivery)[-2:] == [
            ("webhook.events", "autos.webhook.exhausted"),
            ("webhook.dead", "autos.webhook.exhausted"),
        ]
        receiver.answer = in_turn(500, 500, 500, 500, 500, 200)
        asked = RedeliveryRequested(
            delivery_id=delivery, job_id=job.job_id, process_number=job.process_number, client_id=client
        )
        other = RedeliveryRequested(
            delivery_id=delivery, job_id=job.job_id, process_number=job.process_number, client_id="somebody else"
        )
        await world.publish(other, asked)
        row = await world.until(delivery, "delivered")
    assert (row.attempts, row.round_attempts) == (6, 2)
    assert [call.attempt for call in receiver.of(delivery)] == [1, 2, 3, 4, 5, 6]


async def test_retry_after_is_not_undercut(world: World, running: Running) -> None:
    client, _ = world.client()

    async def answer(call: object) -> bytes:
        return status(429, retry_after="2") if len(receiver.calls) == 1 else status(200)

    async with receiving(answer) as receiver, running():
        delivery = await world.start(receiver.url, client)
        await world.until(delivery, "delivered")
    first, second = receiver.of(delivery)
    assert second.at - first.at >= 2.0


async def test_a_retry_after_with_a_date_is_not_undercut(world: World, running: Running) -> None:
    client, _ = world.client()
    moments: list[datetime] = []

    async def answer(call: object) -> bytes:
        moments.append(datetime.now(UTC))
        return status(503, retry_after=format_datetime(until, usegmt=True)) if len(moments) == 1 else status(200)

    async with receiving(answer) as receiver, running():
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        await world.until(await world.start(receiver.url, client), "delivered")
    assert moments[1] >= until


async def test_a_retry_after_of_a_year_waits_for_six_hours(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(always(503, retry_after="31536000")) as receiver, running():
        delivery = await world.start(receiver.url, client)
        row = await world.until(delivery, "waiting")
    assert row.next_attempt_at - row.updated_at == timedelta(hours=6)
    assert ("webhook.retry.6h", "autos.webhook.retry") in world.outbox_of(delivery)


async def test_an_open_breaker_holds_deliveries_and_they_are_no_attempts(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(always(500)) as receiver, running(webhook_breaker_failures=4, webhook_retry_delays="600"):
        deliveries = [await world.start(receiver.url, client, documents=0) for _ in range(20)]
        await wait_until_async(lambda: world.count(client) == 20 and world.count(client, "waiting") >= 4)
        receiver.answer = accept
        # The probe succeeds when the cool-down is over, and the others follow.
        await wait_until_async(lambda: world.count(client, "delivered") + world.count(client, "waiting") == 20)
    # No more failed than were under way when the fourth failure came.
    assert 4 <= world.count(client, "waiting") <= 8
    assert {world.delivery(delivery).attempts for delivery in deliveries} == {1}
    assert len(receiver.calls) == 20


async def test_what_is_claimed_ahead_is_no_attempt_when_the_breaker_opens(world: World, running: Running) -> None:
    """The endpoint was quick, so that many were claimed; then it fails."""
    client, _ = world.client()

    async def failing_soon(_: object) -> bytes:
        await asyncio.sleep(0.02)
        return status(200 if len(receiver.calls) <= 40 else 500)

    async with (
        receiving(failing_soon) as receiver,
        running(webhook_breaker_failures=4, webhook_retry_delays="600"),
    ):
        jobs = [world.job(client, documents=0) for _ in range(120)]
        urls = [f"{receiver.url}?n={number}" for number in range(120)]
        pairs = list(zip(jobs, urls, strict=True))
        await world.publish(*(event for job, url in pairs for event in (job.subscribed(url), job.completed())))
        await wait_until_async(lambda: world.count(client, "waiting") >= 4)
        await wait_until_async(lambda: world.count(client, "sending") == 0)
        assert world.count(client, "waiting") <= 8
        assert world.count(client, "pending") >= 60


async def test_a_stop_gives_back_what_is_not_sent(world: World, running: Running) -> None:
    client, _ = world.client()

    async def slowly(_: object) -> bytes:
        await asyncio.sleep(0.05)
        return status(200)

    async with receiving(slowly) as receiver:
        async with running():
            for _ in range(100):
                job = world.job(client, documents=0)
                await world.publish(job.subscribed(receiver.url), job.completed())
            await wait_until_async(lambda: len(receiver.calls) >= 10)
        # Nothing is left under a lease, and what was sent is recorded.
        assert world.count(client, "sending") == 0
        assert world.count(client, "delivered") == len(receiver.calls) < 100
        async with running():
            await wait_until_async(lambda: world.count(client, "delivered") == 100)
    assert len(receiver.calls) == 100
    assert {call.attempt for call in receiver.calls} == {1}


async def test_a_rate_limits_an_endpoint(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running(webhook_endpoint_rate="5/second"):
        deliveries = [await world.start(f"{receiver.url}?n={number}", client, documents=0) for number in range(10)]
        for delivery in deliveries:
            await world.until(delivery, "delivered")
    # 1.8 s between the first and the last that are taken; between that and the request is a claim.
    assert receiver.calls[-1].at - receiver.calls[0].at >= 1.2


async def test_an_ed25519_signature_stands_beside(world: World, running: Running) -> None:
    client, secret = world.client()
    key = Ed25519PrivateKey.generate()
    private = "whsk_" + base64.b64encode(key.private_bytes_raw()).decode()
    async with receiving() as receiver, running(webhook_signing_private_key=private):
        await world.until(await world.start(receiver.url, client), "delivered")
    (call,) = receiver.calls
    call.verify(secret)
    signatures = dict(signature.split(",") for signature in call.headers["webhook-signature"].split(" "))
    signed = f"{call.delivery_id}.{call.headers['webhook-timestamp']}.".encode() + call.body
    key.public_key().verify(base64.b64decode(signatures["v1a"]), signed)


async def test_410_ends_the_delivery_and_disables_the_endpoint_until_it_is_enabled(
    world: World, running: Running
) -> None:
    client, _ = world.client()
    async with receiving(always(410)) as receiver, running():
        gone = await world.start(f"{receiver.url}?token=1", client)
        await world.until(gone, "gone")
        endpoint = world.endpoint(gone)
        assert (endpoint.disabled_reason, endpoint.url) == ("answered_gone", receiver.url)
        assert ("webhook.events", "autos.webhook.endpoint_disabled") in world.outbox_of(gone)
        receiver.answer = accept
        # The same endpoint, since the query does not count; what comes now is kept.
        kept = await world.start(f"{receiver.url}?token=2", client)
        row = await wait_until_async(lambda: world.delivery(kept))
        assert (row.status, row.next_attempt_at) == ("pending", None)
        other = await world.start(f"{receiver.url}/other", client)
        await world.until(other, "delivered")
        assert receiver.of(kept) == []
        await world.publish(EndpointEnableRequested(endpoint_id=endpoint.endpoint_id, client_id=client))
        await world.until(kept, "delivered")
    assert world.delivery(gone).status == "gone"
    assert len(receiver.of(gone)) == 1


async def test_an_answer_that_does_not_come_in_time_is_a_failure(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(never) as receiver, running(webhook_timeout_seconds=1.0, webhook_retry_delays="60"):
        delivery = await world.start(receiver.url, client)
        await world.until(delivery, "waiting")
    (attempt,) = world.attempts(delivery)
    assert (attempt.status_code, attempt.error_code, attempt.succeeded) == (None, "head_timeout", False)
    assert attempt.duration_ms >= 1000


async def test_a_drip_holds_no_slot_for_longer_than_the_time_out(world: World, running: Running) -> None:
    client, _ = world.client()
    connections = 0

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    async with tcp_server(drip) as port, running(webhook_timeout_seconds=1.0, webhook_retry_delays="60"):
        url = f"http://127.0.0.1:{port}/hook"
        deliveries = [await world.start(f"{url}?n={number}", client, documents=0) for number in range(8)]
        for delivery in deliveries:
            await world.until(delivery, "waiting")
    for delivery in deliveries:
        (attempt,) = world.attempts(delivery)
        assert (attempt.status_code, attempt.error_code, attempt.succeeded) == (200, "body_timeout", False)
    assert connections == 8


async def test_an_address_that_is_not_allowed_is_an_attempt_that_tells(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running(webhook_allowed_networks="", webhook_retry_delays="60"):
        delivery = await world.start(receiver.url, client)
        await world.until(delivery, "waiting")
    (attempt,) = world.attempts(delivery)
    assert (attempt.error_code, attempt.address) == ("address_not_public", None)
    assert receiver.calls == []


async def test_both_secrets_sign_while_they_rotate(world: World, running: Running) -> None:
    old = world.client()[1]
    client, new = world.client(
        previous_webhook_secret=old, previous_secret_until=datetime.now(UTC) + timedelta(hours=1)
    )
    async with receiving() as receiver, running():
        await world.until(await world.start(receiver.url, client), "delivered")
        receiver.calls[0].verify(new)
        receiver.calls[0].verify(old)
        with world.engine.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            table = catalog.clients
            connection.execute(update(table).where(table.c.client_id == client).values(previous_secret_until=past))
        await world.until(await world.start(receiver.url, client), "delivered")
    assert len(receiver.calls[1].headers["webhook-signature"].split(" ")) == 1


async def test_a_client_that_was_disabled_is_not_called(world: World, running: Running) -> None:
    client, _ = world.client(disabled_at=datetime.now(UTC))
    async with receiving() as receiver, running():
        await world.until(await world.start(receiver.url, client), "cancelled")
    assert receiver.calls == []


async def test_poison_goes_to_the_dead_topic_and_others_go_on(world: World, running: Running) -> None:
    from shared.records import OutgoingRecord

    client, _ = world.client()
    async with receiving() as receiver, running():
        await world.producer.send([OutgoingRecord("process.completed", b"x", b"not json", {"ce_type": b"unknown"})])
        await world.until(await world.start(receiver.url, client), "delivered")


async def test_two_replicas_send_each_delivery_once(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running(), running():
        deliveries = [await world.start(f"{receiver.url}/{index % 5}", client, documents=0) for index in range(40)]
        for delivery in deliveries:
            await world.until(delivery, "delivered")
    assert sorted(call.delivery_id for call in receiver.calls) == sorted(deliveries)


async def test_no_more_than_four_are_in_flight_to_one_endpoint(world: World, running: Running) -> None:
    client, _ = world.client()

    async def slow(_: object) -> bytes:
        await asyncio.sleep(0.1)
        return status(200)

    async with receiving(slow) as receiver, running():
        deliveries = [await world.start(f"{receiver.url}?n={uuid.uuid4()}", client, documents=0) for _ in range(20)]
        for delivery in deliveries:
            await world.until(delivery, "delivered")
    assert receiver.most_in_flight == 4


async def test_a_dead_endpoint_delays_nobody_else(world: World, running: Running) -> None:
    client, _ = world.client()
    calling = running(webhook_timeout_seconds=30.0, shutdown_seconds=0.1)
    async with receiving(never) as dead, receiving() as healthy, calling:
        await asyncio.gather(*(world.start(dead.url, client, documents=0) for _ in range(60)))
        await wait_until_async(lambda: dead.in_flight == 4)
        for _ in range(5):
            delivery = await world.start(healthy.url, client)
            await wait_until_async(partial(healthy.of, delivery))
        # None of the dead one's has ended meanwhile, and no more were begun.
        assert dead.in_flight == len(dead.calls) == dead.most_in_flight == 4


@pytest.mark.parametrize(("level", "sealed"), [(0, 1), (3, 0), (None, 0)])
async def test_nothing_sealed_travels_and_only_those_hear_of_it_who_may(
    world: World, running: Running, level: int | None, sealed: int
) -> None:
    """Two subscriptions to one job, asked for with a key of the scope and without: each has a body of its own."""
    client, secret = world.client()
    async with receiving() as receiver, running():
        job = world.job(client, documents=3, level=level, sealed=sealed)
        urls = {True: f"{receiver.url}/sealed", False: f"{receiver.url}/plain"}
        await world.publish(*(job.subscribed(url, sealed=asked) for asked, url in urls.items()), job.completed())
        for url in urls.values():
            await world.until(job.delivery(url), "delivered")
        told = {asked: receiver.of(job.delivery(url))[0].verify(secret)["data"] for asked, url in urls.items()}
        # A subscription that gains the scope is told anew what it may know.
        await world.publish(job.subscribed(urls[False], sealed=True))
        again = RedeliveryRequested(
            delivery_id=job.delivery(urls[False]),
            job_id=job.job_id,
            process_number=job.process_number,
            client_id=client,
        )
        await world.publish(again)
        await wait_until_async(lambda: len(receiver.of(job.delivery(urls[False]))) == 2)
        gained = receiver.of(job.delivery(urls[False]))[1].verify(secret)["data"]
    public = 0 if level != 0 else 3 - sealed
    for data in told.values():
        assert [document["id"] for document in data["documents"]] == list(job.documents[:public])
        assert not any(document in str(data) for document in job.documents[public:])
        assert data["documents_url"].startswith(f"/processes/{job.process_number}/")
    assert told[True]["total_documents"] == 3 and told[True]["documents_truncated"]
    assert told[False]["total_documents"] == public and not told[False]["documents_truncated"]
    assert (told[False]["error_code"] == "process_not_found") is (level != 0)
    assert gained == {**told[True], "documents": gained["documents"]}
