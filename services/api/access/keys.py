"""API keys, known by their hash: which are valid, and whose they are. What a key may do: caller.py.

The database has a key's hash with the pepper of AUTOS_SECRETS_KEY, or without one where it was made before there was a
pepper (shared/secrets/keys.py): a key that is shown is looked for by all the hashes that it may have.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, select

from services.api.access.caller import Caller
from services.api.http.problems import SecretsUnreadable, Unauthorized
from shared.clock import Clock
from shared.concurrency.single_flight import SingleFlight
from shared.db.catalog import api_keys, clients
from shared.db.engine import Database
from shared.domain.api_keys import Scope, hash_key
from shared.errors import InfrastructureAway
from shared.secrets.keys import SecretKeys, Standing

CACHE_SECONDS: Final = 4.0
"""How long a key that was good is taken for good without asking again: a revocation works everywhere within 5 s."""
LIST_SECONDS: Final = 1.0
"""The list of keys is read at most once in this time because of keys that are not in it. So a new key works within a
second, and made-up keys cost one statement a second, however many come."""
LISTS_AT_ONCE: Final = 10
"""How often the list may be read at once after a quiet time: a new key then works immediately."""
_log = logging.getLogger(__name__)

_MAX_KEY: Final = 256
"""Characters. A longer text is no key."""

_GOOD: Final = (
    select(api_keys.c.key_id, api_keys.c.client_id, api_keys.c.scopes, api_keys.c.expires_at)
    .join(clients, clients.c.client_id == api_keys.c.client_id)
    .where(api_keys.c.revoked_at.is_(None), clients.c.disabled_at.is_(None))
)
_BY_HASH: Final = _GOOD.where(api_keys.c.key_hash.in_(bindparam("hashes", expanding=True)))
_BY_ID: Final = _GOOD.where(api_keys.c.key_id == bindparam("key_id"))
_ALL_KEYS: Final = (
    select(api_keys.c.key_hash, api_keys.c.pepper_id)
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

    async def has(self, hashes: Collection[bytes]) -> bool:
        """Whether there is a key with one of these hashes. Reads the list again, where that is allowed now, when there
        is not.

        Raises InfrastructureAway.
        """
        asked_at = self._monotonic()
        if not self._hashes.isdisjoint(hashes):
            return True
        async with self._turn:
            # Another request may have read the list while this one waited.
            if self._hashes.isdisjoint(hashes) and self._read_at < asked_at and self._may_read():
                self._is_failing = True
                reading_at = self._monotonic()
                self._hashes = await self._database.autocommit(self._read)
                self._read_at, self._is_failing = reading_at, False
        found = not self._hashes.isdisjoint(hashes)
        if self._is_failing and not found:
            raise InfrastructureAway("database")
        return found

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

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secrets: SecretKeys,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._monotonic = monotonic
        # By the SHA-256 of a key that was shown, which is in memory alone.
        self._known: dict[bytes, _Known] = {}
        # By the id of the key, for what goes on after its request: a rotation gives a key another hash.
        self._seen: dict[str, _Known] = {}
        self._list = KeyList(database, monotonic, self._all_keys)
        self._readings = SingleFlight(self._by_hash)
        self._unknown_pepper: str | None = None

    @property
    def remembered(self) -> int:
        """How many keys are remembered."""
        return len(self._known)

    async def identify(self, key: str | None) -> Caller:
        """The caller of a key. Asks the database at most once in CACHE_SECONDS for each good key.

        Raises Unauthorized, InfrastructureAway when the database is away and the key is not remembered, and
        SecretsUnreadable when it cannot be told whether the key is good, since a pepper is missing.
        """
        if not key:
            raise Unauthorized("send the key as Authorization: Bearer <api key> or as X-API-Key")
        if len(key) > _MAX_KEY:
            raise Unauthorized("this key is not known, or it has expired or been revoked")
        digest = hash_key(key)
        known = self._known.get(digest)
        if known is None or known.until <= self._monotonic():
            hashes = self._secrets.hashes(digest)
            if known is not None or await self._list.has(hashes):
                # A hundred requests at once of a client that was quiet ask once.
                known = await self._readings.get(hashes)
            if known is None:
                self._known.pop(digest, None)
            else:
                self._known[digest] = known
        if known is None and self._unknown_pepper is not None:
            raise SecretsUnreadable(
                "keys are hashed with a pepper that AUTOS_SECRETS_KEY lacks: an operator has to set it"
            )
        if known is None or self._has_expired(known):
            raise Unauthorized("this key is not known, or it has expired or been revoked")
        return known.caller

    async def again(self, caller: Caller, scope: Scope) -> Caller:
        """The caller as its key is now, for an answer that goes on long after the request came in.

        Raises Unauthorized when the key is no longer good, InsufficientScope when it has lost ``scope``, and
        InfrastructureAway when the database is away.
        """
        known = self._seen.get(caller.key_id)
        if known is None or known.until <= self._monotonic():
            known = await self._read(_BY_ID, {"key_id": caller.key_id})
            if known is None:
                self._seen.pop(caller.key_id, None)
        if known is None or self._has_expired(known):
            raise Unauthorized("the key has expired or been revoked")
        known.caller.require(scope)
        return known.caller

    def _has_expired(self, known: _Known) -> bool:
        return known.expires_at is not None and known.expires_at <= self._clock()

    async def _by_hash(self, hashes: tuple[bytes, ...]) -> _Known | None:
        return await self._read(_BY_HASH, {"hashes": list(hashes)})

    async def _read(self, statement: Select[Any], parameters: dict[str, Any]) -> _Known | None:
        row: Row[Any] | None = await self._database.autocommit(
            lambda connection: connection.execute(statement, parameters).first()
        )
        if row is None:
            return None
        caller = Caller(row.client_id, row.key_id, frozenset(row.scopes))
        self._seen[row.key_id] = known = _Known(caller, row.expires_at, self._monotonic() + CACHE_SECONDS)
        return known

    def _all_keys(self, connection: Connection) -> frozenset[bytes]:
        rows = connection.execute(_ALL_KEYS).all()
        peppers = {row.pepper_id for row in rows}
        lacking = sorted(pepper for pepper in peppers if self._secrets.standing_of_key(pepper) is Standing.UNREADABLE)
        if lacking and self._unknown_pepper is None:
            _log.error(
                "Keys of clients are not known again, the key of their pepper is not set",
                extra={"code": SecretsUnreadable.code, "key_id": lacking[0]},
            )
        self._unknown_pepper = lacking[0] if lacking else None
        return frozenset(bytes(row.key_hash) for row in rows)
