"""A token that is renewed: one log-in at a time, taken over from other processes, never a storm.

One renewal at a time in a process (callers share it) and over all processes (the store's lock); a token that another
process got is taken over without a log-in. Refusals are counted in the store: after each, nobody logs in for a while
that grows, so that a wrong password never locks the account.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from shared.clock import Clock, utc_now
from sources.errors import CredentialsRefused, SourceError, SourceTimeout, TokenRejected
from sources.pdpj.auth.token_endpoint import LogInRefused, Tokens
from sources.pdpj.auth.token_store import Credential, CredentialStore
from sources.pdpj.auth.tokens import (
    Acceptance,
    Token,
    raise_while_refused,
    refusal_wait,
    refused_for,
    unheard,
    until_renewal,
    usable,
)

_log = logging.getLogger(__name__)

_LOG_IN_SECONDS: Final = 30.0
_FORCED_PER_MINUTE: Final = 3


class RenewedToken:
    """client_credentials or refresh_token. ``log_in`` makes tokens of what is kept; it may raise LogInRefused.

    ``seed`` is what is used while nothing is kept yet. ``on_refused`` is called at each refusal. ``owned`` is
    closed with this: the connections that log-ins use.
    """

    def __init__(
        self,
        store: CredentialStore,
        name: str,
        log_in: Callable[[Credential], Awaitable[Tokens]],
        *,
        seed: Credential | None = None,
        clock: Clock = utc_now,
        seconds: Callable[[], float] = monotonic,
        on_refused: Callable[[], None] = unheard,
        owned: AsyncExitStack | None = None,
    ) -> None:
        self._owned = owned or AsyncExitStack()
        self._store = store
        self._name = name
        self._log_in = log_in
        self._seed = seed or Credential()
        self._clock = clock
        self._seconds = seconds
        self._on_refused = on_refused
        self._held = Credential()
        self._acceptance = Acceptance(seconds)
        self._forced: deque[float] = deque(maxlen=_FORCED_PER_MINUTE)
        self._renewal: asyncio.Task[Credential] | None = None

    async def token(self) -> Token:
        """A token that has not ended; renews it first where needed. A log-in has 30 seconds.

        Raises:
            CredentialsRefused: log-ins are paused after a refusal.
            SourceAway: the log-in server is away (SourceTimeout: it did not answer in time).
            InfrastructureAway: the database that keeps the token is away.
        """
        now = self._clock()
        raise_while_refused(self._held, now)
        return usable(self._held, now) or await self._renew()

    async def renewed(self, rejected: Token) -> Token:
        """Another token after a 401: one that came meanwhile, or a new one.

        Raises as :meth:`token`, and TokenRejected when this was forced three times within a minute although the source
        takes our tokens elsewhere: the request is to blame.
        """
        if self._held.generation <= rejected.generation and self._renewal is None:
            # A case whose every document gets a 401 must not become a storm of log-ins.
            now = self._seconds()
            if len(self._forced) == _FORCED_PER_MINUTE and now - self._forced[0] < 60 and self._acceptance.recent:
                raise TokenRejected
            self._forced.append(now)
        if self._held.generation > rejected.generation:
            return await self.token()
        return await self._renew()

    async def refuse(self, rejected: Token) -> SourceError:
        """The error for a fresh token that got a 401. A refusal is counted in the store, for all processes."""
        if self._acceptance.recent:
            return TokenRejected()

        async def change(kept: Credential) -> Credential:
            now = self._clock()
            if kept.generation != rejected.generation or refused_for(kept, now) > 0:
                return kept
            return self._refused(kept, now, "fresh token rejected")

        self._held = await self._store.change(self._name, change)
        return CredentialsRefused(retry_after=refused_for(self._held, self._clock()) or None)

    def accepted(self) -> None:
        """Remember that the source takes our tokens: a 401 soon after is about the one request."""
        self._acceptance.note()

    async def aclose(self) -> None:
        """A log-in that is under way ends, and its token is kept: it may be the only one that continues the session."""
        async with self._owned:
            if self._renewal is not None:
                await asyncio.wait([self._renewal])

    async def _renew(self) -> Token:
        """One renewal for all who need it; it goes on when they give up."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._next(self._held.generation))
            self._renewal.add_done_callback(self._renewal_ended)
        self._held = await asyncio.shield(self._renewal)
        now = self._clock()
        raise_while_refused(self._held, now)
        token = usable(self._held, now)
        if token is None:
            raise SourceTimeout("the new token had expired when it came")
        return token

    def _renewal_ended(self, task: asyncio.Task[Credential]) -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits any more

    async def _next(self, known: int) -> Credential:
        async def change(kept: Credential) -> Credential:
            now = self._clock()
            if kept.generation == 0 and kept.refused_count == 0:
                kept = self._seed
            if refused_for(kept, now) > 0 or (kept.generation > known and usable(kept, now) is not None):
                return kept
            try:
                async with asyncio.timeout(_LOG_IN_SECONDS):
                    tokens = await self._log_in(kept)
            except TimeoutError:
                raise SourceTimeout("the token endpoint did not answer in time") from None
            except LogInRefused as refusal:
                return self._refused(kept, self._clock(), refusal.reason)
            return Credential(
                access_token=tokens.access_token,
                refresh_token=tokens.refresh_token or kept.refresh_token,
                expires_at=self._clock() + until_renewal(tokens.lifetime),
                generation=max(kept.generation, known) + 1,
                # Counted down by use only: a log-in that works is no use while its tokens are rejected.
                refused_count=0 if self._acceptance.recent else kept.refused_count,
            )

        return await self._store.change(self._name, change)

    def _refused(self, kept: Credential, now: datetime, reason: str) -> Credential:
        count = 1 if self._acceptance.recent else kept.refused_count + 1
        wait = refusal_wait(count)
        _log.error(
            "The source refuses our credentials; log-ins are paused",
            extra={"refusals": count, "reason": reason, "wait_seconds": wait},
        )
        self._on_refused()
        return replace(kept, refused_count=count, refused_until=now + timedelta(seconds=wait))
