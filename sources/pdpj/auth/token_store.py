"""Where tokens are kept: in memory, or in PostgreSQL for all processes of a deployment (schema ``source``).

A change happens under a lock that only one process holds, and is committed before anybody uses it: a rotated refresh
token that is used but not kept would end the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.clock import Clock, utc_now
from shared.db.engine import Database
from shared.db.source import credentials as credentials_table
from shared.secrets.keys import SecretKeys, SecretUnreadable
from shared.secrets.owners import source_token
from sources.errors import CredentialsRefused

_log = logging.getLogger(__name__)

_LOCK_SPACE: Final = 0x7464  # "td" (token, database): advisory locks on a credential
_CHANGE_SECONDS: Final = 60.0
"""How long the lock is held at most, which is longer than a log-in may take."""
_UNREADABLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known of one log-in. ``generation`` grows with each new access token, so that two can be told apart.

    ``refused_count`` counts refusals in a row; until ``refused_until`` nobody tries again.
    """

    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: datetime | None = None
    generation: int = 0
    refused_count: int = 0
    refused_until: datetime | None = None

    def __repr__(self) -> str:
        return f"Credential(generation={self.generation}, refused_count={self.refused_count})"


Change = Callable[[Credential], Awaitable[Credential]]


class CredentialStore(Protocol):
    """Credentials by name."""

    async def load(self, name: str) -> Credential:
        """What is kept; an empty Credential when there is nothing."""

    async def change(self, name: str, change: Change) -> Credential:
        """Replace what is kept by what ``change`` makes of it, one caller at a time over all processes.

        The new one is kept before this returns. An exception of ``change`` keeps the old one.
        """


class MemoryCredentialStore:
    """For one process, and for tests."""

    def __init__(self) -> None:
        self._kept: dict[str, Credential] = {}
        self._lock = asyncio.Lock()

    async def load(self, name: str) -> Credential:
        """What is kept in this process."""
        return self._kept.get(name, Credential())

    async def change(self, name: str, change: Change) -> Credential:
        """As the protocol says, for the callers of this process."""
        async with self._lock:
            changed = await change(self._kept.get(name, Credential()))
            self._kept[name] = changed
            return changed


class PostgresCredentialStore:
    """For all processes, the tokens encrypted where there is a key. Raises InfrastructureAway (the database is away).

    Raises CredentialsRefused, and changes nothing, while a kept token does not open: to log in anew could use up the
    only refresh token, and processes with different keys would log in in turns.
    """

    def __init__(self, database: Database, keys: SecretKeys, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def load(self, name: str) -> Credential:
        """What is kept, in a short transaction of its own."""
        return await self._database.run(lambda connection: self._read(connection, name))

    async def change(self, name: str, change: Change) -> Credential:
        """As the protocol says. The transaction, and with it the lock, ends before this returns.

        ``change`` runs on the event loop while a thread and a connection of the pool wait for it; it has 60 seconds.
        """
        loop = asyncio.get_running_loop()

        def under_lock(connection: Connection) -> Credential:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, func.hashtext(name))))
            exchange = asyncio.run_coroutine_threadsafe(_awaited(change(self._read(connection, name))), loop)
            try:
                changed = exchange.result(_CHANGE_SECONDS)
            except FutureTimeout:
                exchange.cancel()
                raise
            self._write(connection, name, changed)
            return changed

        return await self._database.run(under_lock)

    def _write(self, connection: Connection, name: str, credential: Credential) -> None:
        tokens = {
            kind: None if token is None else self._keys.to_store(token, source_token(name, kind))
            for kind, token in (("access", credential.access_token), ("refresh", credential.refresh_token))
        }
        row = {
            **asdict(credential),
            "access_token": tokens["access"],
            "refresh_token": tokens["refresh"],
            "updated_at": self._clock(),
        }
        connection.execute(
            insert(credentials_table).values(name=name, **row).on_conflict_do_update(index_elements=["name"], set_=row)
        )

    def _read(self, connection: Connection, name: str) -> Credential:
        table = credentials_table
        row: Row[Any] | None = connection.execute(select(table).where(table.c.name == name)).one_or_none()
        if row is None:
            return Credential()
        return Credential(
            access_token=self._opened(row.access_token, name, "access"),
            refresh_token=self._opened(row.refresh_token, name, "refresh"),
            expires_at=row.expires_at,
            generation=row.generation,
            refused_count=row.refused_count,
            refused_until=row.refused_until,
        )

    def _opened(self, stored: str | None, name: str, kind: str) -> str | None:
        if stored is None:
            return None
        try:
            return self._keys.from_store(stored, source_token(name, kind))
        except SecretUnreadable as error:
            _log.error(
                "A kept token of the source does not open, everything waits until its key is set",
                extra={"code": error.code, "key_id": error.key_id},
            )
            raise CredentialsRefused(f"secrets_unreadable: {error}", _UNREADABLE_SECONDS) from None


async def _awaited(change: Awaitable[Credential]) -> Credential:
    return await change
