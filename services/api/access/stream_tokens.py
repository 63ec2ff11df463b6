"""Tokens for browsers, which can send no header with an event stream: short-lived, in the address, known by SHA-256.

A token stands in for the key that it was made with, at the event stream alone: it sees what the key sees, and ends with
the key. It is stored, and not signed with something of the key's: what the database holds is then of no use as a token.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from services.api.access.caller import Caller
from services.api.access.keys import KeyList
from services.api.http.problems import Problem, Unauthorized
from shared.clock import Clock
from shared.db.catalog import api_keys, clients, stream_tokens
from shared.db.engine import Database
from shared.domain.api_keys import hash_key

LIFETIME: Final = timedelta(minutes=5)
"""Long enough to open a page with it; a stream that is open goes on."""
MOST_LIVE: Final = 1_000
"""Tokens of one key that have not expired."""
_PREFIX: Final = "autos_st_"
_LONGEST: Final = 100
_BYTES: Final = 32
_CLEARED_AT_ONCE: Final = 100

_LIVE: Final = select(stream_tokens.c.token_hash).where(stream_tokens.c.expires_at > func.now())
_OF_KEY: Final = (
    select(func.count())
    .select_from(stream_tokens)
    .where(stream_tokens.c.key_id == bindparam("key"), stream_tokens.c.expires_at > bindparam("now"))
)
_EXPIRED: Final = (
    select(stream_tokens.c.token_hash).where(stream_tokens.c.expires_at <= bindparam("now")).limit(_CLEARED_AT_ONCE)
)
_FOUND: Final = (
    select(
        *(api_keys.c.key_id, api_keys.c.client_id, api_keys.c.scopes),
        stream_tokens.c.process_number,
    )
    .join(api_keys, api_keys.c.key_id == stream_tokens.c.key_id)
    .join(clients, clients.c.client_id == api_keys.c.client_id)
    .where(
        *(stream_tokens.c.token_hash == bindparam("digest"), stream_tokens.c.expires_at > bindparam("now")),
        *(api_keys.c.revoked_at.is_(None), clients.c.disabled_at.is_(None)),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > bindparam("now")),
    )
)


class TooManyTokens(Problem):
    """The key has as many stream tokens that have not expired as one key may."""

    status, code, title = 429, "too_many_tokens", "Too many stream tokens"


@dataclass(frozen=True)
class StreamToken:
    """A token that was just made; nobody can read it again."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class TokenHolder:
    """Whoever shows a token: the caller that its key is, and the one case that it is for (None: any)."""

    caller: Caller
    process_number: str | None


class StreamTokens:
    """Makes tokens and knows them again, in every replica.

    Like unknown keys, made-up tokens cost at most a reading of the list a second, however many come.
    """

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._list = KeyList(database, monotonic, _live)

    async def issue(self, caller: Caller, process_number: str | None) -> StreamToken:
        """A new token of the caller's key, for one case or (None) any. Commits. Raises TooManyTokens."""
        token, now = _PREFIX + secrets.token_urlsafe(_BYTES), self._clock()
        expires_at = now + LIFETIME
        row: dict[str, Any] = {
            "token_hash": hash_key(token),
            "key_id": caller.key_id,
            "process_number": process_number,
            "expires_at": expires_at,
        }
        if not await self._database.run(lambda connection: _store(connection, row, now)):
            detail = f"a key may have {MOST_LIVE} at once; a token serves for several streams until it expires"
            raise TooManyTokens(detail, headers={"Retry-After": str(int(LIFETIME.total_seconds()))})
        return StreamToken(token, expires_at)

    async def identify(self, token: str) -> TokenHolder:
        """Who shows this token. Raises Unauthorized."""
        digest = hash_key(token)
        if len(token) <= _LONGEST and await self._list.has([digest]):
            wanted = {"digest": digest, "now": self._clock()}
            row = await self._database.autocommit(lambda connection: connection.execute(_FOUND, wanted).one_or_none())
            if row is not None:
                caller = Caller(row.client_id, row.key_id, frozenset(row.scopes))
                return TokenHolder(caller, row.process_number)
        raise Unauthorized("this token is not known, or it or its key has expired or been revoked; make a new one")


def _live(connection: Connection) -> frozenset[bytes]:
    return frozenset(bytes(row.token_hash) for row in connection.execute(_LIVE))


def _store(connection: Connection, row: dict[str, Any], now: datetime) -> bool:
    """Store a token, unless its key has too many; and clear some that have expired, whoever's they are."""
    connection.execute(delete(stream_tokens).where(stream_tokens.c.token_hash.in_(_EXPIRED)), {"now": now})
    if connection.execute(_OF_KEY, {"key": row["key_id"], "now": now}).scalar_one() >= MOST_LIVE:
        return False
    connection.execute(insert(stream_tokens).values(row))
    return True
