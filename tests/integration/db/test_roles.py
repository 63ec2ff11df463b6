"""The database holds the boundary: each service's role writes its own schema and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors, sql
from sqlalchemy import Table

from ops.clients import create_key, list_keys, revoke_key
from shared.db.schema import METADATA
from shared.secrets.keys import SecretKeys
from tests.integration.db.fresh import FreshDatabase

OWN = {"api": "catalog", "downloader": "source", "status": "progress", "notifier": "delivery"}
SHARED_WRITE = {("downloader", f"catalog.{name}") for name in ("processes", "documents", "case_lists")}
# What a service's schema holds and another role writes: nobody who took api over makes himself a key.
NOT_WRITTEN = {("api", "catalog.api_keys"), ("api", "catalog.clients")}
# Made and deleted, and never changed.
NEVER_CHANGED = {("api", "catalog.stream_tokens")}
TABLES = sorted(METADATA.tables.values(), key=lambda table: table.fullname)
ACCESS_LOG = METADATA.tables["audit.access_log"]
STATEMENTS = {
    "insert": "INSERT INTO {table} DEFAULT VALUES",
    "update": "UPDATE {table} SET {column} = {column} WHERE false",
    "delete": "DELETE FROM {table} WHERE false",
    "truncate": "TRUNCATE {table}",
}


@contextmanager
def cursor_of(url: str) -> Iterator[Any]:
    """A cursor whose transaction is rolled back."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.rollback()
        connection.close()


def statement(verb: str, table: Table) -> sql.Composed:
    column = next(column.name for column in table.columns if column.identity is None)
    return sql.SQL(STATEMENTS[verb]).format(
        table=sql.Identifier(str(table.schema), table.name), column=sql.Identifier(column)
    )


def writable(service: str, table: Table) -> bool:
    if (service, table.fullname) in NOT_WRITTEN:
        return False
    return table.schema == OWN[service] or (service, table.fullname) in SHARED_WRITE


@pytest.mark.parametrize("service", OWN)
@pytest.mark.parametrize("schema", sorted(set(OWN.values())))
def test_no_role_writes_a_foreign_schema(database: FreshDatabase, service: str, schema: str) -> None:
    tables = [table for table in TABLES if table.schema == schema and not writable(service, table)]
    assert bool(tables) == (schema != OWN[service] or service == "api")
    for table in tables:
        for verb in STATEMENTS:
            with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement(verb, table))


@pytest.mark.parametrize("service", OWN)
def test_each_role_writes_its_own(database: FreshDatabase, service: str) -> None:
    for table in (table for table in TABLES if writable(service, table)):
        for verb in ("delete",) if (service, table.fullname) in NEVER_CHANGED else ("update", "delete"):
            with cursor_of(database.role_urls[service]) as cursor:
                cursor.execute(statement(verb, table))
        with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.NotNullViolation):
            # Allowed, and only then found incomplete.
            cursor.execute(statement("insert", table))


def test_every_table_has_a_writer() -> None:
    assert {table.schema for table in TABLES} == {*OWN.values(), "audit"}


def test_the_log_of_who_read_what_is_only_added_to(database: FreshDatabase) -> None:
    """The api cannot take back what it wrote, and who deletes what is old neither reads it nor changes it."""
    row = "INSERT INTO audit.access_log (process_number, route, sealed) VALUES ('x', 'GET /', false)"
    allowed = {
        "api": (row, "SELECT * FROM audit.access_log"),
        "notifier": (row, "DELETE FROM audit.access_log WHERE at < now()", "SELECT count(at) FROM audit.access_log"),
    }
    refused = {
        "api": ("DELETE FROM audit.access_log WHERE false",),
        "notifier": ("SELECT client_id FROM audit.access_log", "SELECT process_number FROM audit.access_log"),
        "downloader": (row, "SELECT 1 FROM audit.access_log"),
        "status": (row, "SELECT 1 FROM audit.access_log"),
        "keys": (row, "SELECT 1 FROM audit.access_log"),
    }
    for role, url in database.role_urls.items():
        for statement_text in allowed.get(role, ()):
            with cursor_of(url) as cursor:
                cursor.execute(statement_text)
        for statement_text in (
            *refused.get(role, ()),
            *(f"UPDATE audit.access_log SET {column.name} = DEFAULT" for column in ACCESS_LOG.columns),
            "TRUNCATE audit.access_log",
            "DROP TABLE audit.access_log",
            "ALTER TABLE audit.access_log DISABLE TRIGGER ALL",
        ):
            with cursor_of(url) as cursor, pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement_text)


@pytest.mark.parametrize(
    ("service", "table"),
    [
        ("api", "progress.jobs"),
        ("api", "progress.job_documents"),
        ("api", "delivery.attempts"),
        ("api", "source.credentials"),
        ("downloader", "catalog.jobs"),
        ("downloader", "progress.documents"),
        ("notifier", "catalog.clients"),
        ("notifier", "progress.documents"),
    ],
)
def test_what_a_service_reads_elsewhere_it_may_read(database: FreshDatabase, service: str, table: str) -> None:
    with cursor_of(database.role_urls[service]) as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(*table.split("."))))


@pytest.mark.parametrize(
    ("service", "table"),
    [
        ("downloader", "catalog.clients"),
        ("downloader", "catalog.api_keys"),
        ("downloader", "delivery.deliveries"),
        ("status", "catalog.processes"),
        ("status", "source.credentials"),
        ("notifier", "catalog.api_keys"),
        ("notifier", "source.credentials"),
    ],
)
def test_what_a_service_does_not_need_it_cannot_read(database: FreshDatabase, service: str, table: str) -> None:
    with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.InsufficientPrivilege):
        cursor.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(*table.split("."))))


def test_the_api_changes_a_clients_secrets_and_neither_keys_nor_clients(database: FreshDatabase) -> None:
    with cursor_of(database.role_urls["api"]) as cursor:
        cursor.execute("UPDATE catalog.clients SET webhook_secret = 'x', previous_secret_until = now() WHERE false")
        cursor.execute("SELECT * FROM catalog.api_keys JOIN catalog.clients USING (client_id)")
    for forbidden in (
        "INSERT INTO catalog.api_keys DEFAULT VALUES",
        "UPDATE catalog.api_keys SET scopes = '{admin}'",
        "UPDATE catalog.api_keys SET revoked_at = NULL",
        "DELETE FROM catalog.api_keys",
        "INSERT INTO catalog.clients DEFAULT VALUES",
        "UPDATE catalog.clients SET disabled_at = NULL",
        "UPDATE catalog.clients SET client_id = 'x'",
    ):
        with cursor_of(database.role_urls["api"]) as cursor, pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(forbidden)
    # No column of a key, and no other role's rights either.
    with cursor_of(database.role_urls["api"]) as cursor:
        for column in METADATA.tables["catalog.api_keys"].columns:
            for right in ("INSERT", "UPDATE", "REFERENCES"):
                cursor.execute("SELECT has_column_privilege('catalog.api_keys', %s, %s)", (column.name, right))
                assert cursor.fetchone() == (False,), (column.name, right)
        cursor.execute(
            "SELECT has_table_privilege('catalog.api_keys', 'TRUNCATE, TRIGGER'),"
            " has_schema_privilege('catalog', 'CREATE'), pg_has_role('autos_keys', 'MEMBER')"
        )
        assert cursor.fetchone() == (False, False, False)


def test_the_role_of_the_keys_makes_lists_and_revokes_them_and_does_nothing_else(database: FreshDatabase) -> None:
    url = database.role_urls["keys"]
    key_id, _ = create_key(url, "acme", name="first", secrets=SecretKeys(), scopes=("read",))
    assert [key.key_id for key in list_keys(url) if key.client_id == "acme"] == [key_id]
    assert revoke_key(url, key_id)
    assert not revoke_key(url, key_id)
    for forbidden in (
        "SELECT webhook_secret FROM catalog.clients",
        "UPDATE catalog.api_keys SET scopes = '{admin}'",
        "DELETE FROM catalog.api_keys",
        "UPDATE catalog.clients SET webhook_secret = 'x'",
        *(f"SELECT 1 FROM {table.fullname}" for table in TABLES if table.name not in {"api_keys", "clients"}),
    ):
        with cursor_of(url) as cursor, pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(forbidden)


def test_the_notifier_sees_how_the_outboxes_stand_and_not_what_is_in_them(database: FreshDatabase) -> None:
    for schema in ("catalog", "progress"):
        with cursor_of(database.role_urls["notifier"]) as cursor:
            cursor.execute(f"SELECT count(*), min(created_at), max(reason) FROM {schema}.outbox")
        with cursor_of(database.role_urls["notifier"]) as cursor, pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(f"SELECT payload FROM {schema}.outbox")


@pytest.mark.parametrize("service", OWN)
def test_no_role_makes_or_changes_tables(database: FreshDatabase, service: str) -> None:
    for text in (
        "CREATE TABLE {schema}.more (id int)",
        "CREATE SCHEMA more",
        "CREATE TABLE public.more (id int)",
        "DROP TABLE {schema}.outbox",
    ):
        with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(text.format(schema="catalog"))
