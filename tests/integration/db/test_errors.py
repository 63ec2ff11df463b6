"""Errors of the real server: each is away, a conflict, or refused for good, whichever way it was met."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from sqlalchemy import Connection, text

from shared.db.engine import Database
from shared.db.errors import DatabaseAway, DatabaseConflict, DatabaseRefused
from shared.errors import InfrastructureAway, PoisonRecord
from tests.integration.db.fresh import FreshDatabase
from tests.support import Servers, wait_until


@pytest.fixture
def pool(database: FreshDatabase) -> Iterator[Database]:
    connected = Database.connect(database.owner_url, application_name="test-errors", pool_size=4)
    with connected.transaction() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS tried (id int PRIMARY KEY, n int, label varchar(3))"))
        connection.execute(text("INSERT INTO tried VALUES (1, 0), (2, 0) ON CONFLICT (id) DO UPDATE SET n = 0"))
    yield connected
    connected.close()


def saying(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql(statement)


def writing(value: object) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql("SELECT %(value)s::text", {"value": value})


REFUSED = {
    "54000": saying("SELECT array_fill(0, ARRAY[2147483647])"),
    "54001": saying("SELECT repeat('[', 100000)::json"),
    "22003": saying("INSERT INTO tried VALUES (2147483648)"),
    "22008": saying("SELECT '294277-01-01'::timestamptz"),
    "22001": saying("INSERT INTO tried VALUES (9, 9, 'long')"),
    "22012": saying("SELECT 1 / 0"),
    "22P02": saying("SELECT 'x'::uuid"),
    "22P05": saying("SELECT '\"\\u0000\"'::jsonb"),
    "23505": saying("INSERT INTO tried VALUES (1)"),
    "23502": saying("INSERT INTO tried VALUES (NULL)"),
    "42601": saying("SELEC"),
    "42804": saying("SELECT CASE WHEN true THEN 1 ELSE ARRAY[1] END"),
    "22021": writing("a\x00b"),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_what_gives_the_same_answer_for_ever_is_refused(pool: Database, code: str) -> None:
    for way in (pool.run, pool.autocommit):
        with pytest.raises(DatabaseRefused) as refused:
            await way(REFUSED[code])
        assert isinstance(refused.value, PoisonRecord)
        assert refused.value.sqlstate == code
        assert await way(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1


async def test_a_lone_surrogate_is_refused(pool: Database) -> None:
    with pytest.raises(DatabaseRefused):
        await pool.run(writing("\ud800"))


AWAY = {
    "57014": saying("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)"),
    "25006": saying("SET TRANSACTION READ ONLY; INSERT INTO tried VALUES (7)"),
    "42P01": saying("SELECT 1 FROM not_migrated_yet"),
    "42703": saying("SELECT new_column FROM tried"),
    "57P01": saying("SELECT pg_terminate_backend(pg_backend_pid())"),
}


@pytest.mark.parametrize("code", AWAY)
async def test_what_is_no_fault_of_the_work_is_away(pool: Database, code: str) -> None:
    with pytest.raises(DatabaseAway) as away:
        await pool.run(AWAY[code])
    assert away.value.what == "database"
    # The server's last word may be lost with the connection.
    assert away.value.sqlstate == code or (code == "57P01" and away.value.sqlstate is None)
    assert not isinstance(away.value, DatabaseConflict)


async def test_a_grant_that_is_missing_is_mended_by_an_operator_and_waited_for(database: FreshDatabase) -> None:
    connected = Database.connect(database.role_urls["status"], application_name="test-errors", pool_size=1)
    with pytest.raises(DatabaseAway) as away:
        await connected.run(saying("SELECT 1 FROM catalog.clients"))
    assert away.value.sqlstate == "42501"
    connected.close()


async def test_a_server_that_takes_no_connection_is_away(database: FreshDatabase) -> None:
    nobody = Database.connect("postgresql://nobody@127.0.0.1:1/none", application_name="test-errors", pool_size=1)
    full = Database.connect(database.role_urls["status"], application_name="test-errors", pool_size=1)
    database.allow_connections(False)
    try:
        for connected in (nobody, full):
            with pytest.raises(InfrastructureAway):
                await connected.run(saying("SELECT 1"))
            connected.close()
    finally:
        database.allow_connections(True)


async def test_too_many_connections_is_away(servers: Servers, pool: Database) -> None:
    admin = psycopg2.connect(servers.owner_url)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("CREATE ROLE test_crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    place = servers.owner_url.partition("@")[2]
    crowded = Database.connect(f"postgresql://test_crowded:x@{place}", application_name="test-errors", pool_size=1)
    try:
        with pytest.raises(InfrastructureAway):
            await crowded.run(saying("SELECT 1"))
    finally:
        crowded.close()
        with admin.cursor() as cursor:
            cursor.execute("DROP ROLE test_crowded")
        admin.close()


def test_a_lock_that_is_held_is_a_conflict(pool: Database) -> None:
    def wait_shortly() -> None:
        with pool.transaction() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 10"))
            connection.execute(text("UPDATE tried SET n = 1 WHERE id = 1"))

    with pool.transaction() as holder:
        holder.execute(text("SELECT 1 FROM tried WHERE id = 1 FOR UPDATE"))
        with pytest.raises(DatabaseConflict) as conflict:
            wait_shortly()
    assert conflict.value.sqlstate == "55P03"


def test_a_serialization_failure_is_a_conflict(pool: Database) -> None:
    def overtaken() -> None:
        with pool.transaction() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            connection.execute(text("SELECT n FROM tried WHERE id = 1"))
            with pool.transaction() as other:
                other.execute(text("UPDATE tried SET n = n + 1 WHERE id = 1"))
            connection.execute(text("UPDATE tried SET n = n + 1 WHERE id = 1"))

    with pytest.raises(DatabaseConflict) as conflict:
        overtaken()
    assert conflict.value.sqlstate == "40001"


async def test_a_transaction_that_lost_a_deadlock_is_run_again(pool: Database) -> None:
    """Two that take the same two rows in opposite orders: the server ends one of them, and both are done."""
    both = threading.Barrier(2)
    tries: list[int] = []

    def crossing(first: int, second: int) -> Callable[[Connection], None]:
        met = False

        def work(connection: Connection) -> None:
            nonlocal met
            tries.append(first)
            add = text("UPDATE tried SET n = n + 1 WHERE id = :id")
            connection.execute(add, {"id": first})
            if not met:
                met = True
                both.wait(60)
            connection.execute(add, {"id": second})

        return work

    from asyncio import gather

    await gather(pool.run(crossing(1, 2)), pool.run(crossing(2, 1)))
    # Three; one more for each time that the loser takes its row again before the other, who waits for it, does.
    assert len(tries) >= 3
    with pool.transaction() as connection:
        assert list(connection.execute(text("SELECT n FROM tried WHERE id < 3")).scalars()) == [2, 2]


def test_an_error_met_with_the_drivers_own_cursor_is_told_apart_too(pool: Database) -> None:
    with pytest.raises(DatabaseRefused), pool.transaction() as connection:
        connection.connection.cursor().execute("SELECT 1 / 0")
    with ThreadPoolExecutor(1) as threads:
        holding = threading.Event()
        ended = threading.Event()

        def hold() -> None:
            with pool.transaction() as connection:
                connection.execute(text("SELECT 1 FROM tried WHERE id = 2 FOR UPDATE"))
                holding.set()
                ended.wait(60)

        done = threads.submit(hold)
        wait_until(holding.is_set)
        with pytest.raises(DatabaseConflict), pool.transaction() as connection:
            connection.connection.cursor().execute("SELECT 1 FROM tried WHERE id = 2 FOR UPDATE NOWAIT")
        ended.set()
        done.result()
