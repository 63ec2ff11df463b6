"""Migrations: up from nothing, down to nothing, up again; the tables as defined are the tables as migrated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from alembic.util import CommandError

from ops.migrations.run import differences, downgrade, main, upgrade
from shared.db.schema import SCHEMAS
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers


@pytest.fixture
def empty(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers, migrated=False) as database:
        yield database


def objects(url: str) -> set[str]:
    """Tables, sequences, functions and schemas that are not the server's own, nor Alembic's one table."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
                UNION SELECT 'schema ' || nspname FROM pg_namespace
                WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
                UNION SELECT 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
                """
            )
            return {row[0] for row in cursor.fetchall()} - {
                "public.alembic_version",
                "public.alembic_version_pkc",
            }
    finally:
        connection.close()


def test_up_down_to_nothing_and_up_again(empty: FreshDatabase) -> None:
    upgrade(empty.owner_url)
    first = objects(empty.owner_url)
    assert {f"schema {name}" for name in SCHEMAS} <= first
    downgrade(empty.owner_url)
    assert objects(empty.owner_url) == set()
    upgrade(empty.owner_url)
    assert objects(empty.owner_url) == first
    upgrade(empty.owner_url)


def test_the_tables_are_as_the_models_say(database: FreshDatabase) -> None:
    assert differences(database.owner_url) == []


def test_a_difference_is_found(empty: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(empty.owner_url)
    connection = psycopg2.connect(empty.owner_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE progress.jobs DROP COLUMN error_code")
    finally:
        connection.close()
    assert differences(empty.owner_url)
    monkeypatch.setenv("AUTOS_DATABASE_URL", empty.owner_url)
    assert main(["check"]) == 1


def test_two_processes_may_migrate_at_once(empty: FreshDatabase) -> None:
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(upgrade, empty.owner_url) for _ in range(2)]:
            done.result()
    assert differences(empty.owner_url) == []


def test_a_database_that_a_newer_version_migrated_is_left_as_it_is(
    empty: FreshDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(empty.owner_url)
    before = objects(empty.owner_url)
    connection = psycopg2.connect(empty.owner_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("UPDATE alembic_version SET version_num = '9001'")
        upgrade(empty.owner_url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT version_num FROM alembic_version")
            assert cursor.fetchall() == [("9001",)]
    finally:
        connection.close()
    assert objects(empty.owner_url) == before
    assert "A newer version has migrated the database" in caplog.text


def test_a_revision_that_is_no_newer_one_is_an_error(empty: FreshDatabase) -> None:
    upgrade(empty.owner_url)
    connection = psycopg2.connect(empty.owner_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("UPDATE alembic_version SET version_num = '0000'")
    finally:
        connection.close()
    with pytest.raises(CommandError, match="0000"):
        upgrade(empty.owner_url)


def test_the_command_wants_a_database_and_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOS_DATABASE_URL", raising=False)
    assert main(["upgrade"]) == 2
    monkeypatch.setenv("AUTOS_DATABASE_URL", "postgresql://nowhere/x")
    assert main(["sideways"]) == 2
