"""A migrated database of its own on the servers' PostgreSQL, for tests that want empty tables or break things."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from ops.migrations.run import upgrade
from tests.support import Servers


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
    _execute(servers.owner_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    owner_url = _in(servers.owner_url, name)
    try:
        if migrated:
            upgrade(owner_url)
        yield FreshDatabase(
            name, owner_url, {role: _in(url, name) for role, url in servers.role_urls.items()}, servers.owner_url
        )
    finally:
        _execute(servers.owner_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
