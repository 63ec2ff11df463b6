"""A migrated database of its own on the servers' PostgreSQL, for tests that want empty tables or break things."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2 import sql

from ops.migrations.run import upgrade
from tests.support import Servers

_CREATE: Final = sql.SQL("CREATE DATABASE {} TEMPLATE {}")


@dataclass(frozen=True)
class FreshDatabase:
    """Its owner's connection and each service's."""

    name: str
    owner_url: str
    role_urls: Mapping[str, str]
    admin_url: str
    """Another database of the same server, to close this one from outside."""

    def allow_connections(self, allowed: bool) -> None:
        """Close the database to everyone but its owner and end their sessions, or open it again."""
        connection = psycopg2.connect(self.admin_url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
                    sql.Identifier(self.name), sql.Literal(-1 if allowed else 0)
                )
                cursor.execute(limit)
                if not allowed:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,)
                    )
        finally:
            connection.close()


@contextmanager
def fresh_database(servers: Servers, *, migrated: bool = True) -> Iterator[FreshDatabase]:
    """Make it, and drop it at the end with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    template = _migrated_template(servers.owner_url) if migrated else "template1"
    _execute(servers.owner_url, _CREATE.format(sql.Identifier(name), sql.Identifier(template)))
    owner_url = _in(servers.owner_url, name)
    try:
        yield FreshDatabase(
            name, owner_url, {role: _in(url, name) for role, url in servers.role_urls.items()}, servers.owner_url
        )
    finally:
        _execute(servers.owner_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@functools.cache
def _migrated_template(owner_url: str) -> str:
    """The name of a database that is migrated once for each server: a copy of it costs a tenth of the migrations."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    _execute(owner_url, _CREATE.format(sql.Identifier(name), sql.Identifier("template1")))
    upgrade(_in(owner_url, name))
    return name


def _in(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def _execute(url: str, statement: sql.Composable) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
