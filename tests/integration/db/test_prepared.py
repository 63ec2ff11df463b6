"""Statements of ours that a connection plans once, alone and sent together."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import psycopg2.errors
import pytest
from sqlalchemy import Connection, Engine

from shared.db.engine import Database, make_engine
from shared.db.errors import DatabaseAway
from shared.db.prepared import PreparedCall, PreparedText, plan_for_whole_tables, run_together
from tests.integration.db.fresh import FreshDatabase

_ADD = PreparedText(
    "test_add", "INSERT INTO known SELECT CAST(one AS int) FROM unnest(:numbers) AS one", numbers="text[]"
)
_SUM = PreparedText("test_sum", "SELECT sum(number)::int AS sum FROM known WHERE number < :most", most="int")
_NAMED = PreparedText("test_named", """SELECT CAST(:number AS int) AS number, 'a' AS "class" """, number="int")
_LOSE = PreparedText("test_lose", "SELECT pg_terminate_backend(pg_backend_pid()) WHERE :yes", yes="bool")
_BROKEN = PreparedText("test_broken", "SELECT 1 / :number", number="int")


@pytest.fixture
def engine(database: FreshDatabase) -> Iterator[Engine]:
    made = Database.connect(database.owner_url, application_name="test-prepared", pool_size=1)
    with made.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE IF NOT EXISTS known (number int)")
        connection.exec_driver_sql("TRUNCATE known")
    yield made.engine
    made.close()


def total(connection: Connection) -> int:
    return int(_SUM.run(connection, {"most": 100}).scalar_one() or 0)


def test_each_statement_of_a_message_sees_what_came_before_it_and_the_last_one_answers(engine: Engine) -> None:
    for most, expected in ((100, 33), (3, 3)):
        with engine.begin() as connection:
            calls = [PreparedCall(_ADD, {"numbers": ["1", "2"]}), PreparedCall(_ADD, {"numbers": ["30"]})]
            assert run_together(connection, *calls, PreparedCall(_SUM, {"most": most})).scalar_one() == expected
            connection.rollback()


def test_a_statement_is_planned_once_and_not_for_its_parameters(engine: Engine) -> None:
    with engine.begin() as connection:
        for most in range(3):
            _SUM.run(connection, {"most": most})
        plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'test_sum'"
        assert connection.exec_driver_sql(plans).one() == (3, 0)


def test_a_rare_look_may_read_a_table_whole_and_what_follows_it_may_not(engine: Engine) -> None:
    shown = "SHOW enable_seqscan"
    with engine.begin() as connection:
        assert connection.exec_driver_sql(shown).scalar_one() == "off"
        plan_for_whole_tables(connection)
        assert connection.exec_driver_sql(shown).scalar_one() == "on"
    with engine.begin() as connection:
        assert connection.exec_driver_sql(shown).scalar_one() == "off"


def test_a_command_plans_as_the_server_is_set_up(database: FreshDatabase) -> None:
    engine = make_engine(database.owner_url, application_name="test-command", pool_size=1)
    with engine.begin() as connection:
        shown = connection.exec_driver_sql("SHOW enable_seqscan").scalar_one()
    engine.dispose()
    assert shown == "on"


def test_nothing_of_a_message_stays_when_one_of_its_statements_fails(engine: Engine) -> None:
    with pytest.raises(psycopg2.errors.DivisionByZero), engine.begin() as connection:
        run_together(connection, PreparedCall(_ADD, {"numbers": ["1"]}), PreparedCall(_BROKEN, {"number": 0}))
    with engine.begin() as connection:
        assert total(connection) == 0
        # Prepared in the transaction that failed, or not: both can be used.
        assert _BROKEN.run(connection, {"number": 1}).scalar_one() == 1
        assert _ADD.run(connection, {"numbers": ["5", "6"]}).all() == []
        assert total(connection) == 11


def test_what_a_transaction_that_nobody_began_did_is_undone_with_it(engine: Engine) -> None:
    with engine.connect() as connection:
        assert total(connection) == 0
        connection.commit()
        _ADD.run(connection, {"numbers": ["7"]})
        connection.rollback()
        assert total(connection) == 0
        _ADD.run(connection, {"numbers": ["8"]})
        connection.commit()
    with engine.connect() as connection:
        assert total(connection) == 8


def test_a_row_has_the_names_of_its_columns_also_those_that_python_cannot_spell(engine: Engine) -> None:
    with engine.begin() as connection:
        row = _NAMED.run(connection, {"number": 3}).one()
    assert (row.number, row._mapping["class"]) == (3, "a")


def test_a_lost_connection_is_told_as_such_and_the_next_transaction_has_another(database: FreshDatabase) -> None:
    made = Database.connect(database.owner_url, application_name="test-lost", pool_size=1)
    try:
        for lose in (made.transaction, made.engine.connect):
            with pytest.raises((DatabaseAway, psycopg2.OperationalError)), lose() as connection:
                _LOSE.run(connection, {"yes": True})
            with made.transaction() as connection:
                assert _BROKEN.run(connection, {"number": 1}).scalar_one() == 1
    finally:
        made.close()
