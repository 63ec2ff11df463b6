"""document.available: told of in batches to those who asked, each document once, and nobody else waits for it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db import catalog, delivery, progress
from shared.events.webhook_subscribed import CaseAsked
from tests.integration.notifier.test_feed import feed
from tests.integration.notifier.test_registered_endpoints import asks, delivered, of_client, register
from tests.integration.notifier.world import Job, Running, World, always, receiving
from tests.support import wait_until_async

BOTH = ["document.available", "process.completed"]


def set_status(world: World, job: Job, status: str, count: int | None = None) -> None:
    """The first ``count`` documents of a running job, or all, have this status now."""
    table, jobs = progress.documents, progress.jobs
    ids = job.documents[: len(job.documents) if count is None else count]
    with world.engine.begin() as connection:
        connection.execute(
            update(table)
            .where(table.c.process_number == job.process_number, table.c.document_id.in_(ids))
            .values(status=status)
        )
        available = len(ids) if status == "available" else 0
        row = {"job_id": job.job_id, "process_number": job.process_number, "status": "processing"}
        changed = insert(jobs).values(**row, completed_documents=available, version=1)
        connection.execute(
            changed.on_conflict_do_update(
                index_elements=["job_id"], set_={"completed_documents": available, "version": jobs.c.version + 1}
            )
        )


def told(calls: list[Any]) -> list[str]:
    return [one for call in calls if "document_ids" in call.data for one in call.data["document_ids"]]


async def test_documents_are_told_of_while_the_job_runs_and_each_once(world: World, running: Running) -> None:
    client, _ = world.client()
    plain, _ = world.client()
    async with receiving() as receiver, receiving() as other, running(webhook_documents_seconds=0.1):
        job = world.job(client, documents=250, sealed=1)
        for one in (client, plain):
            asks(world, one, job)
        set_status(world, job, "processing")
        _, secret = register(world, client, receiver.url, events=BOTH)
        register(world, plain, other.url)
        set_status(world, job, "available", 120)
        await wait_until_async(lambda: len(told(receiver.calls)) == 120, what="the first were told of")
        assert of_client(world, plain) == []
        # The last one is sealed: it is available, and nobody is told of it.
        set_status(world, job, "available")
        await world.publish(job.completed(), repeat=2)
        await wait_until_async(lambda: len(told(receiver.calls)) == 249, what="the rest was told of")
        await delivered(world, plain, 1)
        await wait_until_async(
            lambda: {row.status for row in of_client(world, client)} == {"delivered"}, 60, "all delivered"
        )
    assert sorted(told(receiver.calls)) == sorted(job.documents[:249])
    bodies = [call.verify(secret) for call in receiver.calls]
    batches = [body for body in bodies if body["type"] == "document.available"]
    assert len(bodies) - len(batches) == 1
    assert all(len(body["data"]["document_ids"]) <= 100 for body in batches)
    for body in batches:
        data = body["data"]
        assert [one["id"] for one in data["documents"]] == data["document_ids"]
        assert all(one["status"] == "available" and one["download_url"] for one in data["documents"])
        assert (data["documents_total"], data["documents_truncated"]) == (len(data["document_ids"]), False)
        assert (data["job_id"], data["process_number"]) == (job.job_id, job.process_number)
    assert [call.data["job_id"] for call in other.calls] == [job.job_id]


async def test_ten_thousand_documents_are_bounded_and_delay_nobody_else(world: World, running: Running) -> None:
    client, _ = world.client()
    neighbour, _ = world.client()
    async with (
        receiving(always(500)) as dead,
        receiving() as alive,
        running(webhook_documents_seconds=0.1, webhook_retry_delays="3600"),
    ):
        large, small = world.job(client, documents=10_000), world.job(neighbour, documents=2)
        asks(world, client, large)
        asks(world, neighbour, small)
        register(world, client, dead.url, events=["document.available"], payload="thin")
        register(world, neighbour, alive.url)
        set_status(world, large, "available")
        await wait_until_async(lambda: len(of_client(world, client)) >= 20, what="the first batches")
        await world.publish(small.completed())
        await delivered(world, neighbour, 1)
        await wait_until_async(lambda: len(of_client(world, client)) == 100, what="every batch")
    table = delivery.document_batches
    with world.engine.connect() as connection:
        rows = connection.execute(select(table).where(table.c.job_id == large.job_id).order_by(table.c.part)).all()
    assert [row.part for row in rows] == list(range(100))
    assert len({one for row in rows for one in row.document_ids}) == 10_000
    assert [(row.position, row.part) for row in feed(world, client)] == [(part + 1, part) for part in range(100)]
    assert all(len(call.body) < 8_000 for call in dead.calls)


async def test_a_sealed_case_has_no_documents_to_tell_of(world: World, running: Running) -> None:
    client, _ = world.client()
    async with receiving() as receiver, running(webhook_documents_seconds=0.1):
        sealed, open_ = world.job(client, documents=2, level=2), world.job(client, documents=2)
        for job in (sealed, open_):
            asks(world, client, job, sealed=True)
            set_status(world, job, "available")
        register(world, client, f"{receiver.url}?{uuid.uuid4()}", events=["document.available"])
        await wait_until_async(lambda: len(told(receiver.calls)) == 2, what="the open one was told of")
        await world.publish(sealed.completed())
        await wait_until_async(lambda: len(feed(world, client)) == 2, what="its end is recorded")
    assert sorted(told(receiver.calls)) == sorted(open_.documents)
    assert {(row.event_type, row.job_id) for row in feed(world, client)} == {
        ("document.available", open_.job_id),
        ("process.completed", sealed.job_id),
    }


async def test_what_a_job_brought_last_is_told_of_before_its_end_and_who_asks_later_hears_it_too(
    world: World, running: Running
) -> None:
    client, _ = world.client()
    late, _ = world.client()
    async with receiving() as receiver, receiving() as other, running():
        job = world.job(client, documents=250)
        asks(world, client, job)
        register(world, client, receiver.url, events=BOTH)
        register(world, late, other.url, events=BOTH)
        # Nobody has looked before the end came.
        await world.publish(job.completed(), repeat=2)
        await delivered(world, client, 4)
        asks(world, late, job)
        asked = CaseAsked(job_id=job.job_id, process_number=job.process_number, client_id=late)
        await world.publish(asked, repeat=2)
        await delivered(world, late, 4)
    kinds = [(row.position, row.event_type, row.part) for row in feed(world, client)]
    ends = [(part + 1, "document.available", part) for part in range(3)]
    assert kinds == [*ends, (4, "process.completed", 0)]
    assert sorted(told(receiver.calls)) == sorted(told(other.calls)) == sorted(job.documents)


async def test_a_document_event_has_the_reference_of_each_client(world: World, running: Running) -> None:
    clients = {name: world.client()[0] for name in ("matter 7", "theirs", None)}
    async with receiving() as receiver, running():
        job = world.job(clients["matter 7"], documents=2)
        for reference, client in clients.items():
            asks(world, client, job)
            register(world, client, f"{receiver.url}?{client}", events=["document.available"])
            if reference is not None:
                row = {"job_id": job.job_id, "client_id": client, "reference": reference}
                with world.engine.begin() as connection:
                    connection.execute(insert(catalog.job_references).values(**row, given_at=func.now()))
        await world.publish(job.completed())
        for client in clients.values():
            await delivered(world, client, 1)
    by_client = {row.delivery_id: row.client_id for client in clients.values() for row in of_client(world, client)}
    found = {by_client[call.delivery_id]: call.data["reference"] for call in receiver.calls}
    assert found == {client: reference for reference, client in clients.items()}
