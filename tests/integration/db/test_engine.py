"""Connections: one that the server closed is not handed out, plans live with their connection, reads have no BEGIN."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, bindparam, func, select, text

from shared.db.engine import Database, make_engine
from shared.db.prepared import Prepared
from shared.errors import InfrastructureAway
from tests.support import Servers, wait_until

_TABLE = Table("looked_at", MetaData(), Column("id", Integer), Column("amount", Integer))
_LOOK = Prepared("test_look", select(_TABLE.c.amount).where(_TABLE.c.id == bindparam("wanted")))
_PID = select(func.pg_backend_pid())


@pytest.fixture
def owner(servers: Servers) -> Iterator[Engine]:
    engine = make_engine(servers.owner_url, application_name="test-owner", pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    connected = Database.connect(servers.owner_url, application_name="test-engine", pool_size=3)
    yield connected
    connected.close()


@pytest.fixture
def table(owner: Engine) -> Iterator[None]:
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE looked_at (id integer, amount integer)"))
        connection.execute(text("INSERT INTO looked_at VALUES (1, 10), (2, 20)"))
    yield
    with owner.begin() as connection:
        connection.execute(text("DROP TABLE looked_at"))


def pids(database: Database) -> set[int]:
    """The server processes of every connection of the pool, opened all at once."""
    held = [database.engine.connect() for _ in range(3)]
    found = {connection.execute(_PID).scalar_one() for connection in held}
    for connection in held:
        connection.close()
    return found


def end(owner: Engine, found: set[int]) -> None:
    """Have the server end these connections; returns when they are gone."""
    with owner.connect() as connection:
        for pid in found:
            connection.execute(select(func.pg_terminate_backend(pid)))

    def gone() -> bool:
        statement = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)")
        # A transaction each: one sees the activity as it was when it first looked.
        with owner.connect() as connection:
            return bool(connection.execute(statement, {"pids": list(found)}).scalar_one() == 0)

    wait_until(gone)


async def test_a_connection_that_the_server_closed_is_never_handed_out(database: Database, owner: Engine) -> None:
    before = pids(database)
    assert len(before) == 3
    end(owner, before)
    for _ in range(6):
        assert await database.run(lambda connection: connection.execute(_PID).scalar_one()) not in before
        assert await database.autocommit(lambda connection: connection.execute(_PID).scalar_one()) not in before
    assert not pids(database) & before


async def test_a_connection_that_ends_in_the_middle_is_the_database_away(database: Database, owner: Engine) -> None:
    def cut(connection: Connection) -> None:
        end(owner, {connection.execute(_PID).scalar_one()})
        connection.execute(_PID)

    for way in (database.run, database.autocommit, database.snapshot):
        with pytest.raises(InfrastructureAway):
            await way(cut)
        assert await way(lambda connection: connection.execute(_PID).scalar_one())


async def test_the_server_ends_a_session_whose_client_is_cut_off(database: Database) -> None:
    """By its own probes: it would wait for two hours, and so long the session would keep its locks."""

    def told(connection: Connection) -> list[str]:
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        return [str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names]

    assert await database.run(told) == ["10", "5", "3", "10000"]


async def test_autocommit_is_no_transaction(database: Database) -> None:
    def times(connection: Connection) -> bool:
        # now() is the time at which the transaction began.
        return bool(connection.execute(select(func.now())).scalar() == connection.execute(select(func.now())).scalar())

    assert await database.run(times) is True
    assert await database.autocommit(times) is False
    assert await database.run(times) is True


async def test_nothing_is_sent_to_leave_autocommit_or_a_snapshot(servers: Servers, owner: Engine) -> None:
    """What a connection did last is the work itself, whichever ways it was used before."""
    database = Database.connect(servers.owner_url, application_name="test-engine", pool_size=1)
    last = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")

    async def sent_after(way: Callable[[Callable[[Connection], int]], Awaitable[int]]) -> str:
        pid = await way(lambda connection: connection.execute(_PID).scalar_one())
        with owner.connect() as connection:
            return str(connection.execute(last, {"pid": pid}).scalar_one())

    try:
        for _ in range(2):
            assert await sent_after(database.run) == "COMMIT"
            assert await sent_after(database.snapshot) == "ROLLBACK"
            assert "pg_backend_pid" in await sent_after(database.autocommit)
    finally:
        database.close()


async def test_a_snapshot_sees_one_state_of_the_database_and_writes_nothing(
    database: Database, owner: Engine, table: None
) -> None:
    amount = text("SELECT amount FROM looked_at WHERE id = 1")

    def look(connection: Connection) -> list[int]:
        before = connection.execute(amount).scalar_one()
        with owner.begin() as other:
            other.execute(text("UPDATE looked_at SET amount = amount + 1 WHERE id = 1"))
        return [before, connection.execute(amount).scalar_one()]

    def change(connection: Connection) -> None:
        connection.execute(text("UPDATE looked_at SET amount = 0"))

    assert await database.snapshot(look) == [10, 10]
    assert await database.autocommit(look) == [11, 12]
    with pytest.raises(InfrastructureAway):
        await database.snapshot(change)
    # The connection is an ordinary one again.
    await database.run(change)


def test_every_thread_that_is_in_a_transaction_has_a_connection_aside(servers: Servers) -> None:
    """All of them use it at once: with fewer, one would hold its locks until another is done."""
    database = Database.connect(servers.owner_url, application_name="test-engine", pool_size=4, beside=True)
    together = threading.Barrier(4)

    def work(_: int) -> int:
        with database.transaction(), database.aside() as beside:
            together.wait(60)
            return int(beside.execute(_PID).scalar_one())

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(work, range(4)))) == 4
    database.close()


async def test_a_prepared_statement_is_planned_once_a_connection_and_anew_on_a_new_one(
    database: Database, owner: Engine, table: None
) -> None:
    def look(connection: Connection) -> list[int]:
        return [_LOOK.run(connection, {"wanted": wanted}).scalar_one() for wanted in (1, 2, 1)]

    def prepared(connection: Connection) -> int:
        assert look(connection) == [10, 20, 10]
        count = connection.execute(text("SELECT count(*) FROM pg_prepared_statements WHERE name = 'test_look'"))
        return int(count.scalar_one())

    for _ in range(4):
        assert await database.run(prepared) == 1
    end(owner, pids(database))
    for _ in range(4):
        assert await database.autocommit(prepared) == 1


async def test_a_prepared_statement_sees_the_table_that_was_put_in_place(
    database: Database, owner: Engine, table: None
) -> None:
    def look(connection: Connection) -> int:
        return int(_LOOK.run(connection, {"wanted": 1}).scalar_one())

    for _ in range(8):  # past the fifth, when the server may keep one plan for all parameters
        assert await database.autocommit(look) == 10
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE looked_at_new (id integer, amount integer, more text)"))
        connection.execute(text("INSERT INTO looked_at_new VALUES (1, 11)"))
        connection.execute(text("ALTER TABLE looked_at RENAME TO looked_at_old"))
        connection.execute(text("ALTER TABLE looked_at_new RENAME TO looked_at"))
        connection.execute(text("DROP TABLE looked_at_old"))
    for _ in range(8):
        assert await database.autocommit(look) == 11
