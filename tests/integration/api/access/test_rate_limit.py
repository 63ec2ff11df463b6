"""What PostgreSQL takes of an allowance, held against the arithmetic that says what may be taken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select, text

from services.api.access.rate_limit import Limit, RateLimited, decide, spend
from shared.db.catalog import rate_limits
from shared.db.engine import Database
from shared.settings import Rate
from tests.support import Servers


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[Database]:
    """As the api's own role, which may do what is needed and no more."""
    made = Database.connect(servers.role_urls["api"], application_name="test-limits", pool_size=1, beside=True)
    yield made
    made.close()


def begin(connection: Connection, limit: Limit, used: timedelta) -> str:
    """A client whose theoretical arrival time is ``used`` from now."""
    client = f"client-{uuid.uuid4().hex}"
    connection.execute(insert(rate_limits).values(client_id=client, name=limit.name, tat=func.clock_timestamp() + used))
    return client


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 500), st.integers(1, 20), st.floats(-3, 25), st.integers(1, 4))
def test_the_statement_takes_what_the_arithmetic_allows(
    database: Database, count: int, burst: int, share: float, cost: int
) -> None:
    limit = Limit("bulk", Rate(count, 3600.0), burst)
    with database.aside() as connection:
        client = begin(connection, limit, limit.interval * share)
        before = connection.execute(select(rate_limits.c.tat).where(rate_limits.c.client_id == client)).scalar_one()
        first = connection.execute(select(func.clock_timestamp())).scalar_one()
        try:
            taken = spend(connection, limit, client, cost)
        except RateLimited as refused:
            taken = None
            assert int(refused.headers["Retry-After"]) >= 1
        last = connection.execute(select(func.clock_timestamp())).scalar_one()
        after = connection.execute(select(rate_limits.c.tat).where(rate_limits.c.client_id == client)).scalar_one()
    # Its own moment lies between two that are known.
    soonest, latest = (decide(limit, before, moment, cost) for moment in (first, last))
    if taken is None:
        assert after == before and not soonest.allowed
    else:
        assert latest.allowed and soonest.tat <= after <= latest.tat
        assert taken.allowed and soonest.remaining <= taken.remaining <= latest.remaining


def test_a_new_client_has_its_whole_burst(database: Database) -> None:
    limit, client = Limit("bulk", Rate(1, 3600.0), 3), f"client-{uuid.uuid4().hex}"
    with database.aside() as connection:
        assert [spend(connection, limit, client).remaining for _ in range(3)] == [2, 1, 0]
        with pytest.raises(RateLimited):
            spend(connection, limit, client)


def test_what_is_taken_beside_a_transaction_is_not_held_by_it_and_waits_for_no_disk(database: Database) -> None:
    limit = Limit("bulk", Rate(1, 3600.0), 3)
    with database.transaction() as connection:
        connection.execute(text("SELECT 1"))
        with database.aside() as purse:
            client = begin(purse, limit, timedelta(0))
            spend(purse, limit, client)
            # For that statement's own commit only.
            assert purse.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
        held = select(rate_limits.c.tat).where(rate_limits.c.client_id == client).with_for_update(nowait=True)
        assert connection.execute(held).one() is not None
        connection.rollback()
    with database.aside() as connection:
        assert spend(connection, limit, client).remaining == 1
