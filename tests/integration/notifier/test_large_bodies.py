"""Webhooks of large cases: within the bounds of a view, thin beyond AUTOS_WEBHOOK_MAX_BODY_BYTES and after a 413."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, update

from services.notifier.sending.bodies import WebhookBodies
from services.notifier.sending.body_key import BodyKey
from shared.clock import utc_now
from shared.db import catalog
from shared.db.delivery import completions
from shared.webhooks.body_form import BodyForm
from tests.integration.notifier.world import Answer, Call, Job, Running, World, receiving, status


def movements(count: int) -> list[dict[str, Any]]:
    return [{"at": None, "code": str(index), "description": "Juntada de documento " * 4} for index in range(count)]


def enlarge(engine: Engine, job: Job, **more: Any) -> None:
    table = catalog.processes
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.process_number == job.process_number).values(**more))


def at_most(limit: int) -> Answer:
    async def answer(call: Call) -> bytes:
        return status(413 if len(call.body) > limit else 200)

    return answer


async def test_a_body_that_a_receiver_refuses_as_too_large_comes_thin_and_soon(world: World, running: Running) -> None:
    client, secret = world.client()
    # Were the schedule's delay taken, the delivery would not come within the test's patience.
    async with receiving(at_most(102_400)) as receiver, running(webhook_retry_delays="3600"):
        job = world.job(client, documents=60)
        enlarge(world.engine, job, movements=movements(900)[:200], movements_total=900)
        enlarge(world.engine, job, parties=[{"name": "P" * 300, "representatives": []}] * 300, parties_total=300)
        await world.publish(job.subscribed(receiver.url), job.completed())
        row = await world.until(job.delivery(receiver.url), "delivered")
        full, thin = receiver.of(row.delivery_id)
        assert (len(full.data["documents"]), full.data["documents_truncated"]) == (60, False)
        assert len(full.body) > 102_400 > len(thin.body)
        assert thin.verify(secret)["type"] == "process.completed"
        assert (thin.data["documents"], thin.data["documents_truncated"]) == ([], True)
        assert (thin.data["total_documents"], thin.data["documents_total"]) == (60, 60)
        assert thin.data["documents_url"] == f"/processes/{job.process_number}/documents"
        assert thin.data["process"]["movements_total"] == 900
        assert [one.status_code for one in world.attempts(row.delivery_id)] == [413, 200]
        assert (row.attempts, row.round_attempts) == (2, 1)
        endpoint = world.endpoint(row.delivery_id)
        assert (endpoint.body_form, endpoint.consecutive_failures, endpoint.failing_since) == (1, 0, None)
        # It is remembered: the next case comes thin at once.
        again = await world.start(receiver.url, client, documents=3)
        await world.until(again, "delivered")
        (only,) = receiver.of(again)
        assert only.data["documents_truncated"] is True and only.data["documents_total"] == 3


async def test_a_receiver_that_takes_very_little_gets_a_body_without_lists(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(at_most(3_000)) as receiver, running(webhook_retry_delays="3600"):
        job = world.job(client, documents=5)
        enlarge(world.engine, job, movements=movements(200), movements_total=200)
        await world.publish(job.subscribed(receiver.url), job.completed())
        row = await world.until(job.delivery(receiver.url), "delivered")
        calls = receiver.of(row.delivery_id)
        assert len(calls) == 3
        assert calls[-1].data["process"]["movements"] == [] and calls[-1].data["process"]["movements_total"] == 200
        assert world.endpoint(row.delivery_id).body_form == 2


async def test_a_receiver_that_takes_nothing_is_given_up_by_the_schedule(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving(at_most(10)) as receiver, running(webhook_retry_delays="0.1"):
        wanted = await world.start(receiver.url, client)
        row = await world.until(wanted, "exhausted")
    assert [one.status_code for one in world.attempts(row.delivery_id)] == [413] * 4
    assert row.round_attempts == 2


async def test_a_body_beyond_the_bound_is_sent_thin_at_once(world: World, running: Running) -> None:
    client, _ = world.client()
    public = "https://autos.example"
    async with receiving() as receiver, running(webhook_max_body_bytes=65_536, api_public_url=public):
        large, small = (world.job(client, documents=count) for count in (150, 3))
        for job in (large, small):
            await world.publish(job.subscribed(receiver.url), job.completed())
            await world.until(job.delivery(receiver.url), "delivered")
        (thin,) = receiver.of(large.delivery(receiver.url))
        (full,) = receiver.of(small.delivery(receiver.url))
    assert len(thin.body) <= 65_536 and thin.attempt == 1
    assert thin.data["documents"] == [] and thin.data["documents_truncated"] is True
    assert thin.data["documents_url"] == f"{public}/processes/{large.process_number}/documents"
    assert len(full.data["documents"]) == 3 and full.data["documents_truncated"] is False
    assert world.endpoint(large.delivery(receiver.url)).body_form == 0


class _Links:
    made = 0

    def make(self, key: str, *, content_disposition: str | None = None, content_type: str | None = None) -> str:
        self.made += 1
        return f"http://store/{key}"


@pytest.mark.parametrize("count", [999, 1000, 1001, 2500])
async def test_no_more_documents_are_read_than_are_sent(world: World, count: int) -> None:
    client, _ = world.client()
    job, one = world.job(client, documents=count), world.job(client, documents=2, scope="first")
    links = _Links()
    bodies = WebhookBodies(links, utc_now, most_bytes=4 * 1024**2)
    with world.engine.begin() as connection:
        for each in (job, one):
            told = each.completed().model_dump()
            connection.execute(
                completions.insert().values({name: told[name] for name in told if name in completions.c})
            )
        wanted = [BodyKey(job.job_id), BodyKey(job.job_id, BodyForm.THIN), BodyKey(one.job_id)]
        made = bodies.make(connection, wanted)
    full, thin, single = (_data(made[name].content) for name in wanted)
    shown = min(count, 1000)
    assert [document["id"] for document in full["documents"]] == list(job.documents[:1000])
    assert (full["documents_total"], full["documents_truncated"]) == (count, count > 1000)
    assert (thin["documents"], thin["documents_total"]) == ([], count)
    assert [document["id"] for document in single["documents"]] == [one.documents[0]]
    assert links.made == shown + 1


def _data(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(content)["data"]
    return found
