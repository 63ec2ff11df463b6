"""The feed's rows: numbered without holes under concurrent transactions, written once, purged in batches."""

from __future__ import annotations

import asyncio
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from services.notifier.intake import completion_rows, document_batches, feed_rows
from services.notifier.intake.feed_upkeep import FeedUpkeep
from shared.clock import utc_now
from shared.db import catalog, delivery
from shared.db.engine import Database
from shared.db.feed import feed_events, feeds
from shared.db.webhook_endpoints import webhook_endpoints
from tests.integration.notifier.test_registered_endpoints import register
from tests.integration.notifier.world import Job, Running, World
from tests.support import Servers, wait_until, wait_until_async

LONG = timedelta(days=30)


def asked(world: World, client_id: str, job: Job, at: datetime | None = None) -> None:
    """The client asks for the job's case."""
    at = at or datetime.now(UTC)
    row = {"client_id": client_id, "process_number": job.process_number}
    with world.engine.begin() as connection:
        moments = {"first_requested_at": at, "last_requested_at": at}
        connection.execute(insert(catalog.process_requests).values(**row, **moments))


def feed(world: World, client_id: str) -> list[Any]:
    """The rows of a client's feed, in order."""
    with world.engine.connect() as connection:
        wanted = select(feed_events).where(feed_events.c.client_id == client_id)
        return list(connection.execute(wanted.order_by(feed_events.c.position)))


def ends(world: World, client_id: str) -> list[tuple[int, str]]:
    return [(row.position, row.job_id) for row in feed(world, client_id) if row.event_type == "process.completed"]


def test_a_reader_misses_nothing_of_transactions_that_commit_in_another_order(world: World) -> None:
    """The second writer waits for the first one's commit: no number is seen before a smaller one."""
    client, _ = world.client()
    first, second, now = world.job(client), world.job(client), datetime.now(UTC)
    for job in (first, second):
        asked(world, client, job)
        with world.engine.begin() as connection:
            completion_rows.add_completions(connection, [job.completed()], now)
    done = threading.Event()

    def append_second() -> None:
        with world.engine.begin() as connection:
            feed_rows.append(connection, [second.job_id], now)
        done.set()

    with world.engine.begin() as connection:
        feed_rows.append(connection, [first.job_id], now)
        thread = threading.Thread(target=append_second)
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND query LIKE '%%notifier_append_missing%%'"
        )

        def waits() -> bool:
            with world.engine.connect() as other:
                return bool(other.exec_driver_sql(waiting).scalar_one())

        wait_until(waits)
        assert not done.is_set() and feed(world, client) == []
    thread.join()
    assert ends(world, client) == [(1, first.job_id), (2, second.job_id)]


async def test_an_end_that_comes_twice_is_one_event_of_each_client_of_the_case(world: World, running: Running) -> None:
    (one, _), (two, _), (stranger, _) = world.client(), world.client(), world.client()
    jobs = [world.job(one) for _ in range(3)]
    for job in jobs:
        asked(world, one, job)
    asked(world, two, jobs[1])
    async with running():
        await world.publish(*(job.completed() for job in jobs), repeat=3)
        await wait_until_async(lambda: len(ends(world, one)) == 3 and len(ends(world, two)) == 1)
    assert [row.position for row in feed(world, one)] == [1, 2, 3, 4, 5, 6]
    assert ends(world, two) == [(2, jobs[1].job_id)] and feed(world, stranger) == []


async def test_upkeep_adds_what_a_request_just_missed_and_deletes_what_is_old(world: World, servers: Servers) -> None:
    database = Database.connect(servers.role_urls["notifier"], application_name="feed-tests", pool_size=2)
    client, _ = world.client()
    missed, late = world.job(client), world.job(client)
    now = datetime.now(UTC)
    with world.engine.begin() as connection:
        completion_rows.add_completions(connection, [missed.completed(), late.completed()], now)
    # One asked before the end, and its transaction committed after it; for the other the end came long before.
    asked(world, client, missed, now - timedelta(seconds=1))
    asked(world, client, late, now + timedelta(minutes=1))
    upkeep = FeedUpkeep(database, utc_now, retention=LONG)
    await upkeep.round()
    await upkeep.round()
    assert ends(world, client) == [(1, missed.job_id)]
    with world.engine.begin() as connection:
        mine = feed_events.c.client_id == client
        connection.execute(update(feed_events).where(mine).values(recorded_at=now - LONG - timedelta(seconds=1)))
        connection.execute(update(feeds).where(feeds.c.client_id == client).values(last_position=2))
        connection.execute(
            insert(feed_events).values(
                client_id=client,
                position=2,
                event_type="process.completed",
                job_id=str(uuid.uuid4()),
                process_number=late.process_number,
                recorded_at=now,
            )
        )
    assert await database.run(lambda connection: feed_rows.purge(connection, now - LONG, most=100)) == 1
    assert [row.position for row in feed(world, client)] == [2]
    with world.engine.connect() as connection:
        assert connection.execute(select(feeds.c.purged_position).where(feeds.c.client_id == client)).scalar_one() == 1
    database.close()


async def test_a_row_that_the_database_refuses_ends_no_deliveries(
    world: World, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = world.client()
    database = Database.connect(servers.role_urls["notifier"], application_name="feed-tests", pool_size=2)
    job = world.job(client)
    now = datetime.now(UTC)
    with world.engine.begin() as connection:
        completion_rows.add_completions(connection, [job.completed()], now)
        # Somebody wrote an event by hand: its number is taken, and the feed does not know it.
        connection.execute(
            insert(feed_events).values(
                client_id=client,
                position=1,
                event_type="process.completed",
                job_id=str(uuid.uuid4()),
                process_number=job.process_number,
                recorded_at=now,
            )
        )
    asked(world, client, job, now - timedelta(seconds=1))
    stop = asyncio.Event()
    upkeep = asyncio.create_task(FeedUpkeep(database, utc_now, retention=LONG, every=0.01).run(stop))
    await wait_until_async(lambda: "The upkeep of the feeds failed" in caplog.text)
    with world.engine.begin() as connection:
        connection.execute(delete(feed_events).where(feed_events.c.client_id == client))
    await wait_until_async(lambda: ends(world, client) == [(1, job.job_id)])
    stop.set()
    await upkeep
    database.close()


def test_a_type_is_an_event_of_the_ends_that_it_is_about_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (kind,) = feed_rows._ENDS
    failures = replace(kind, name="process.failed", applies=lambda facts: facts.completion.failed_documents > 0)
    monkeypatch.setattr(feed_rows, "_ENDS", (kind, failures))
    client, _ = world.client()
    whole, broken = world.job(client), world.job(client)
    with world.engine.begin() as connection:
        completion_rows.add_completions(connection, [whole.completed(), broken.completed(failed=1)], utc_now())
    for job in (whole, broken):
        asked(world, client, job)
        with world.engine.begin() as connection:
            feed_rows.append(connection, [whole.job_id, broken.job_id], utc_now())
    assert [(row.job_id, row.event_type) for row in feed(world, client)] == [
        (whole.job_id, "process.completed"),
        (broken.job_id, "process.completed"),
        (broken.job_id, "process.failed"),
    ]
    assert [row.position for row in feed(world, client)] == [1, 2, 3]


async def test_a_batch_of_documents_goes_with_the_last_event_of_it_unless_a_delivery_needs_it(
    world: World, servers: Servers
) -> None:
    database = Database.connect(servers.role_urls["notifier"], application_name="feed-tests", pool_size=2)
    (one, _), (two, _) = world.client(), world.client()
    both, delivered = world.job(one), world.job(one)
    register(world, one, "http://127.0.0.1:9/hook", events=["document.available"])
    for client in (one, two):
        asked(world, client, both)
    asked(world, one, delivered)
    now = datetime.now(UTC)

    def end(job: Job) -> None:
        with world.engine.begin() as connection:
            document_batches.make_batches(connection, [job.job_id], now)
            completion_rows.add_completions(connection, [job.completed()], now)
            feed_rows.append(connection, [job.job_id], now)

    end(delivered)
    with world.engine.begin() as connection:
        connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.client_id == one))
    end(both)
    left: list[set[str]] = []
    for client in (one, two):
        long_ago = now - LONG - timedelta(days=1)
        with world.engine.begin() as connection:
            connection.execute(
                update(feed_events).where(feed_events.c.client_id == client).values(recorded_at=long_ago)
            )
        while await database.run(lambda connection: feed_rows.purge(connection, now - LONG, most=3)):
            pass
        assert feed(world, client) == []
        table = delivery.document_batches
        with world.engine.connect() as connection:
            ours = table.c.job_id.in_([both.job_id, delivered.job_id])
            left.append(set(connection.execute(select(table.c.job_id).where(ours)).scalars()))
    assert left == [{both.job_id, delivered.job_id}, {delivered.job_id}]
    database.close()


async def test_the_upkeep_deletes_when_it_is_time_and_one_replica_at_once(world: World, servers: Servers) -> None:
    database = Database.connect(servers.role_urls["notifier"], application_name="feed-tests", pool_size=2)
    client, _ = world.client()
    job = world.job(client, documents=0)
    asked(world, client, job)
    now, clock = datetime.now(UTC), [datetime.now(UTC)]
    with world.engine.begin() as connection:
        completion_rows.add_completions(connection, [job.completed()], now)
        feed_rows.append(connection, [job.job_id], now)
    upkeep = FeedUpkeep(database, lambda: clock[0], retention=LONG, purge_every=timedelta(days=1))
    # Not before its time, though the events are old by then.
    await upkeep.round()
    assert len(feed(world, client)) == 1
    clock[0] += LONG + timedelta(days=1)
    with world.engine.begin() as connection:
        # Another replica is at it.
        assert feed_rows.purge(connection, now - LONG, most=1) == 0
        await upkeep.round()
        assert len(feed(world, client)) == 1
    clock[0] += timedelta(days=1.2)

    async def is_gone() -> bool:
        await upkeep.round()
        return not feed(world, client)

    await wait_until_async(is_gone)
    database.close()
