"""The database holds the boundary: each service's role writes its own schema and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors, sql
from sqlalchemy import Table

from shared.db.schema import METADATA
from tests.integration.db.fresh import FreshDatabase

OWN = {"api": "catalog", "downloader": "source", "status": "progress", "notifier": "delivery"}
SHARED_WRITE = {("downloader", f"catalog.{name}") for name in ("processes", "documents", "case_lists")}
TABLES = sorted(METADATA.tables.values(), key=lambda table: table.fullname)
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
    return table.schema == OWN[service] or (service, table.fullname) in SHARED_WRITE


@pytest.mark.parametrize("service", OWN)
@pytest.mark.parametrize("schema", sorted(set(OWN.values())))
def test_no_role_writes_a_foreign_schema(database: FreshDatabase, service: str, schema: str) -> None:
    tables = [table for table in TABLES if table.schema == schema and not writable(service, table)]
    assert bool(tables) == (schema != OWN[service])
    for table in tables:
        for verb in STATEMENTS:
            with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement(verb, table))


@pytest.mark.parametrize("service", OWN)
def test_each_role_writes_its_own(database: FreshDatabase, service: str) -> None:
    for table in (table for table in TABLES if writable(service, table)):
        for verb in ("update", "delete"):
            with cursor_of(database.role_urls[service]) as cursor:
                cursor.execute(statement(verb, table))
        with cursor_of(database.role_urls[service]) as cursor, pytest.raises(errors.NotNullViolation):
            # Allowed, and only then found incomplete.
            cursor.execute(statement("insert", table))


def test_every_table_has_a_writer() -> None:
    assert {table.schema for table in TABLES} == set(OWN.values())


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
