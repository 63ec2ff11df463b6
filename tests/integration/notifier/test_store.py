"""Leases and results in the database: one holder at a time, and a fence against the one before."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from ops.migrations.run import differences
from services.notifier.domain.delivery import Effect
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.intake import completion_rows
from services.notifier.intake.job_locks import lock_jobs
from services.notifier.sending import claim_rows, record_rows
from services.notifier.sending.attempt import Attempt
from services.notifier.sending.claimed import ClaimedDelivery
from services.notifier.sending.start_rows import purge_starts
from shared.db import delivery
from shared.db.engine import Database
from tests.integration.notifier.world import Job, World
from tests.support import Servers

POLICY = RetryPolicy()
NOW = datetime.now(UTC)
URL = "http://127.0.0.1:9/hook"


def create(world: World, database: Database, url: str | None = None, now: datetime = NOW) -> tuple[Job, DueDelivery]:
    client, _ = world.client()
    job = world.job(client)
    with database.transaction() as connection:
        lock_jobs(connection, [job.job_id])
        completion_rows.add_subscriptions(connection, [job.subscribed(url or f"{URL}/{uuid.uuid4()}")], now)
        completion_rows.add_completions(connection, [job.completed()], now)
        _, (due,) = completion_rows.create_deliveries(connection, [job.job_id], now)
    return job, due


def claim(database: Database, due: DueDelivery, now: datetime = NOW) -> ClaimedDelivery | None:
    with database.transaction() as connection:
        found = claim_rows.claim(connection, [due], now, POLICY, lambda: str(uuid.uuid4())).claimed
    return found[0] if found else None


def result(claimed: ClaimedDelivery, status_code: int = 200) -> Attempt:
    return Attempt(
        delivery_id=claimed.due.delivery_id,
        token=claimed.token,
        attempt=claimed.attempt,
        started_at=NOW,
        duration_ms=1,
        dns_ms=None,
        connect_ms=None,
        tls_ms=None,
        first_byte_ms=None,
        address="127.0.0.1",
        status_code=status_code,
        error_code=None,
        error_message=None,
        excerpt="",
        retry_after=None,
        draw=0.0,
    )


def record(database: Database, *attempts: Attempt, now: datetime = NOW) -> list[Effect]:
    with database.transaction() as connection:
        recorded = record_rows.record(connection, attempts, now, POLICY, disable_after=timedelta(days=5))
    return [each.effect for each in recorded]


def test_a_delivery_has_one_holder_while_the_lease_lasts(world: World, database: Database) -> None:
    _, due = create(world, database)
    first = claim(database, due)
    assert first is not None
    assert claim(database, due) is None
    assert claim(database, due, NOW + timedelta(seconds=24)) is None


def test_a_claim_under_way_is_not_waited_for(world: World, database: Database) -> None:
    _, due = create(world, database)
    with database.transaction() as connection:
        assert claim_rows.claim(connection, [due], NOW, POLICY, lambda: str(uuid.uuid4())).claimed
        assert claim(database, due) is None


def test_a_holder_that_lost_its_lease_is_fenced_off(world: World, database: Database) -> None:
    _, due = create(world, database)
    first = claim(database, due)
    second = claim(database, due, NOW + timedelta(seconds=25))
    assert first is not None
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 1)
    assert record(database, result(first)) == [Effect.NONE]
    row = world.delivery(due.delivery_id)
    assert (row.status, row.lease_token) == ("sending", second.token)
    assert world.attempts(due.delivery_id) == []
    assert world.outbox_of(due.delivery_id) == []
    assert record(database, result(second, 500)) == [Effect.RETRY]
    assert record(database, result(second, 200)) == [Effect.NONE]
    assert world.delivery(due.delivery_id).status == "waiting"
    assert len(world.attempts(due.delivery_id)) == 1


def test_a_lease_is_renewed_by_its_holder_only(world: World, database: Database) -> None:
    _, due = create(world, database)
    first = claim(database, due)
    second = claim(database, due, NOW + timedelta(seconds=25))
    assert first is not None
    assert second is not None
    until = NOW + timedelta(minutes=5)
    with database.transaction() as connection:
        assert not claim_rows.renew(connection, first, until)
        assert claim_rows.renew(connection, second, until)


def due(connection: Connection, now: datetime, full: list[str] | None = None) -> set[str]:
    found = claim_rows.due(connection, now, grace=timedelta(seconds=1), full=full or [], each=100_000, most=100_000)
    return {due.delivery_id for due in found}


def test_the_sweep_finds_what_is_due_and_what_lost_its_holder(world: World, database: Database) -> None:
    _, pending = create(world, database)
    _, leased = create(world, database)
    claim(database, leased)
    with database.transaction() as connection:
        assert pending.delivery_id not in due(connection, NOW)
        later = due(connection, NOW + timedelta(seconds=2))
        assert pending.delivery_id in later
        assert leased.delivery_id not in later
        assert leased.delivery_id in due(connection, NOW + timedelta(seconds=26))
        assert pending.delivery_id not in due(connection, NOW + timedelta(seconds=2), [pending.endpoint_id])


def test_a_type_of_a_later_version_is_left_to_its_replicas_and_holds_nobody(world: World, database: Database) -> None:
    _, later = create(world, database)
    _, usual = create(world, database)
    deliveries = delivery.deliveries
    of_later = update(deliveries).where(deliveries.c.delivery_id == later.delivery_id)
    with world.engine.begin() as connection:
        connection.execute(of_later.values(event_type="case.moved"))
    with database.transaction() as connection:
        found = due(connection, NOW + timedelta(seconds=2))
        assert usual.delivery_id in found and later.delivery_id not in found
        assert not claim_rows.find(connection, [later.delivery_id])
        both = claim_rows.claim(connection, [later, usual], NOW, POLICY, lambda: str(uuid.uuid4())).claimed
    assert [one.due for one in both] == [usual]
    assert claim(database, later) is None
    with world.engine.begin() as connection:
        connection.execute(of_later.values(event_type="process.completed"))
    assert claim(database, later) is not None


def test_five_days_of_failures_disable_the_endpoint_and_hold_its_deliveries(world: World, database: Database) -> None:
    url = f"{URL}/{uuid.uuid4()}"
    client, _ = world.client()
    jobs = [world.job(client) for _ in range(2)]
    with database.transaction() as connection:
        completion_rows.add_subscriptions(connection, [job.subscribed(url) for job in jobs], NOW)
        completion_rows.add_completions(connection, [job.completed() for job in jobs], NOW)
        _, (first, second) = completion_rows.create_deliveries(connection, [job.job_id for job in jobs], NOW)
    claimed = claim(database, first)
    assert claimed is not None
    record(database, result(claimed, 500))
    late = NOW + timedelta(days=5)
    claimed = claim(database, first, late)
    assert claimed is not None
    record(database, result(claimed, 500), now=late)
    endpoint = world.endpoint(first.delivery_id)
    assert (endpoint.disabled_reason, endpoint.alert_reason) == ("failing_for_days", "disabled")
    for due in (first, second):
        row = world.delivery(due.delivery_id)
        assert row.status in {"pending", "waiting"}
        assert row.next_attempt_at is None
        assert claim(database, due, late + timedelta(days=1)) is None


def test_a_batch_with_many_results_of_one_endpoint_counts_each(world: World, database: Database) -> None:
    url = f"{URL}/{uuid.uuid4()}"
    client, _ = world.client()
    jobs = [world.job(client, documents=0) for _ in range(6)]
    with database.transaction() as connection:
        completion_rows.add_subscriptions(connection, [job.subscribed(url) for job in jobs], NOW)
        completion_rows.add_completions(connection, [job.completed() for job in jobs], NOW)
        _, deliveries = completion_rows.create_deliveries(connection, [job.job_id for job in jobs], NOW)
    claims = [claim(database, due) for due in deliveries]
    assert record(database, *(result(found, 503) for found in claims if found)) == [Effect.RETRY] * 6
    assert world.endpoint(deliveries[0].delivery_id).consecutive_failures == 6


def test_old_attempts_are_deleted_in_batches(world: World, database: Database) -> None:
    wanted = str(uuid.uuid4())
    old = NOW - timedelta(days=100_000 // 365)
    rows: list[dict[str, Any]] = [
        {"delivery_id": wanted, "attempt": number, "started_at": old, "duration_ms": 1, "succeeded": True}
        for number in range(7)
    ]
    with database.transaction() as connection:
        connection.execute(insert(delivery.attempts), rows)
        recent = {**rows[0], "started_at": NOW, "attempt": 99}
        connection.execute(insert(delivery.attempts), [recent])
        before = NOW - timedelta(days=90)
        assert record_rows.purge_attempts(connection, before, most=5) == 5
        assert record_rows.purge_attempts(connection, before, most=5) >= 2
    assert [row.attempt for row in world.attempts(wanted)] == [99]


def test_the_notifier_may_not_write_what_is_not_its_own(world: World, database: Database) -> None:
    from shared.db import catalog, progress
    from shared.db.errors import DatabaseAway

    for statement in (
        update(catalog.clients).values(name="x"),
        update(progress.jobs).values(status="x"),
        select(catalog.api_keys),
    ):
        with pytest.raises(DatabaseAway) as refused, database.transaction() as connection:
            connection.execute(statement)
        assert refused.value.sqlstate == "42501"


def test_the_tables_are_those_of_the_migrations(servers: Servers) -> None:
    assert differences(servers.owner_url) == []


def test_the_next_start_of_an_endpoint_with_a_rate_is_reserved_by_one_replica_alone(
    world: World, database: Database
) -> None:
    (_, first), (_, second) = (create(world, database) for _ in range(2))
    with world.engine.begin() as connection:
        # Of one endpoint, a delivery an hour at most.
        table = delivery.deliveries
        its = table.c.delivery_id == second.delivery_id
        connection.execute(update(table).where(its).values(endpoint_id=first.endpoint_id))
        rated = delivery.endpoints.c.endpoint_id == first.endpoint_id
        connection.execute(update(delivery.endpoints).where(rated).values(least_seconds=3600.0))
        long_ago = {"endpoint_id": first.endpoint_id, "next_start_at": NOW - timedelta(days=1)}
        connection.execute(insert(delivery.endpoint_starts).values(long_ago))

    def new_token() -> str:
        return str(uuid.uuid4())

    with database.transaction() as one:
        assert [found.due for found in claim_rows.claim(one, [first], NOW, POLICY, new_token).claimed] == [first]
        with database.transaction() as other:
            # It does not wait for the one that is reserving.
            found = claim_rows.claim(other, [second], NOW, POLICY, new_token)
        assert found == ([], {second.delivery_id: pytest.approx(0.01)})
    with database.transaction() as other:
        found = claim_rows.claim(other, [second], NOW, POLICY, new_token)
    assert found == ([], {second.delivery_id: pytest.approx(3600.0, abs=60.0)})
    with world.engine.begin() as connection:
        starts = delivery.endpoint_starts
        due_now = update(starts).where(starts.c.endpoint_id == first.endpoint_id)
        connection.execute(due_now.values(next_start_at=func.now() - timedelta(hours=1)))
    with database.transaction() as other:
        (claimed,) = claim_rows.claim(other, [second], NOW, POLICY, new_token).claimed
        assert (claimed.starts_in, claimed.next_in) == (0.0, 3600.0)
        # Forgotten when it was not called for long.
        assert purge_starts(other, datetime.now(UTC) + timedelta(days=1), most=10) >= 1
