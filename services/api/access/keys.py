"""API keys, known by their SHA-256: which are valid, and whose they are. What a key may do: caller.py."""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from services.api.access.caller import Caller
from services.api.http.problems import Unauthorized
from shared.clock import Clock
from shared.db.catalog import api_keys, clients
from shared.db.engine import Database
from shared.domain.api_keys import Scope, hash_key
from shared.errors import InfrastructureAway

CACHE_SECONDS: Final = 4.0
"""How long a key that was good is taken for good without asking again: a revocation works everywhere within 5 s."""
LIST_SECONDS: Final = 1.0
"""The list of keys is read at most once in this time because of keys that are not in it. So a new key works within a
second, and made-up keys cost one statement a second, however many come."""
LISTS_AT_ONCE: Final = 10
"""How often the list may be read at once after a quiet time: a new key then works immediately."""
_MAX_KEY: Final = 256
"""Characters. A longer text is no key."""

_KEY: Final = (
    select(api_keys.c.key_id, api_keys.c.client_id, api_keys.c.key_hash, api_keys.c.scopes, api_keys.c.expires_at)
    .join(clients, clients.c.client_id == api_keys.c.client_id)
    .where(api_keys.c.key_hash == bindparam("digest"), api_keys.c.revoked_at.is_(None), clients.c.disabled_at.is_(None))
)
_ALL_KEYS: Final = (
    select(api_keys.c.key_hash)
    .join(clients, clients.c.client_id == api_keys.c.client_id)
    .where(api_keys.c.revoked_at.is_(None), clients.c.disabled_at.is_(None))
)


@dataclass(frozen=True)
class _Known:
    caller: Caller
    expires_at: datetime | None
    until: float


class KeyList:
    """The hashes of all keys (or tokens) that may be good, as ``read`` finds them. For one event loop.

    All hashes are in memory: 32 bytes and some overhead for each key of the deployment.
    """

    def __init__(
        self, database: Database, monotonic: Callable[[], float], read: Callable[[Connection], frozenset[bytes]]
    ) -> None:
        self._read = read
        self._database = database
        self._monotonic = monotonic
        self._hashes: frozenset[bytes] = frozenset()
        self._read_at = -math.inf
        self._spent_until = -math.inf
        self._is_failing = False
        self._turn = asyncio.Lock()

    async def has(self, digest: bytes) -> bool:
        """Whether there is such a key. Reads the list again, where that is allowed now, when the hash is not in it.

        Raises InfrastructureAway.
        """
        asked_at = self._monotonic()
        if digest in self._hashes:
            return True
        async with self._turn:
            # Another request may have read the list while this one waited.
            if digest not in self._hashes and self._read_at < asked_at and self._may_read():
                self._is_failing = True
                reading_at = self._monotonic()
                self._hashes = await self._database.autocommit(self._read)
                self._read_at, self._is_failing = reading_at, False
        if self._is_failing and digest not in self._hashes:
            raise InfrastructureAway("database")
        return digest in self._hashes

    def _may_read(self) -> bool:
        now = self._monotonic()
        spent_until = max(self._spent_until, now) + LIST_SECONDS
        if spent_until - now > LIST_SECONDS * LISTS_AT_ONCE:
            return False
        self._spent_until = spent_until
        return True


class ApiKeys:
    """Looks keys up, and remembers the good ones for :data:`CACHE_SECONDS`.

    A key that is not in the list of all keys is neither looked up nor remembered. Guessing keys makes hardly any work
    for the database, and takes no memory from the good ones.
    """

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[bytes, _Known] = {}
        self._list = KeyList(database, monotonic, _all_keys)

    @property
    def remembered(self) -> int:
        """How many keys are remembered."""
        return len(self._known)

    async def identify(self, key: str | None) -> Caller:
        """The caller of a key. Asks the database at most once in CACHE_SECONDS for each good key.

        Raises Unauthorized, and InfrastructureAway when the database is away and the key is not remembered.
        """
        if not key:
            raise Unauthorized("send the key as Authorization: Bearer <api key> or as X-API-Key")
        if len(key) > _MAX_KEY:
            raise Unauthorized("this key is not known, or it has expired or been revoked")
        known = await self._find(hash_key(key))
        if known is None:
            raise Unauthorized("this key is not known, or it has expired or been revoked")
        return known.caller

    async def again(self, caller: Caller, scope: Scope) -> Caller:
        """The caller as its key is now, for an answer that goes on long after the request came in.

        Raises Unauthorized when the key is no longer good, InsufficientScope when it has lost ``scope``, and
        InfrastructureAway when the database is away.
        """
        known = await self._find(caller.key)
        if known is None:
            raise Unauthorized("the key has expired or been revoked")
        known.caller.require(scope)
        return known.caller

    async def _find(self, digest: bytes) -> _Known | None:
        known = self._known.get(digest)
        if known is None or known.until <= self._monotonic():
            if known is None and not await self._list.has(digest):
                return None
            known = await self._database.autocommit(lambda connection: self._read(connection, digest))
            if known is None:
                self._known.pop(digest, None)
            else:
                self._known[digest] = known
        if known is not None and known.expires_at is not None and known.expires_at <= self._clock():
            return None
        return known

    def _read(self, connection: Connection, digest: bytes) -> _Known | None:
        row = connection.execute(_KEY, {"digest": digest}).one_or_none()
        if row is None or not hmac.compare_digest(bytes(row.key_hash), digest):
            return None
        caller = Caller(row.client_id, row.key_id, frozenset(row.scopes), digest)
        return _Known(caller, row.expires_at, self._monotonic() + CACHE_SECONDS)


def _all_keys(connection: Connection) -> frozenset[bytes]:
    return frozenset(bytes(row.key_hash) for row in connection.execute(_ALL_KEYS))
