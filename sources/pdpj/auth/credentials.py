"""Access tokens: which of the three ways is set, behind one interface (docs/reference/pdpj.md, "Facts")."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import Final, Protocol

from shared.clock import Clock, utc_now
from sources.errors import CredentialsRefused, SourceError, TokenRejected
from sources.pdpj.auth.renewal import RenewedToken
from sources.pdpj.auth.token_endpoint import LogInRefused, TokenEndpoint, Tokens
from sources.pdpj.auth.token_store import Credential, CredentialStore, MemoryCredentialStore
from sources.pdpj.auth.tokens import Acceptance, Token, unheard, usable
from sources.pdpj.settings import PdpjSettings, TokenGrant
from sources.pdpj.wire.transport import SourceTransport

_log = logging.getLogger(__name__)

_FIXED_WAIT_SECONDS: Final = 60.0
_READ_AGAIN_SECONDS: Final = 2.0


class Credentials(Protocol):
    """What the client needs of them. On one event loop; may be called from many requests at once.

    Each method may raise CredentialsRefused, with the seconds in which nobody should try again, and SourceAway when a
    log-in fails.
    """

    async def token(self) -> Token:
        """The token to use now."""

    async def renewed(self, rejected: Token) -> Token:
        """Another token, after a 401. Raises TokenRejected when a new one would not help."""

    async def refuse(self, rejected: Token) -> SourceError:
        """The error to raise when the renewed token got a 401 too."""

    def accepted(self) -> None:
        """The source took a token just now."""

    async def aclose(self) -> None:
        """Let a renewal end."""


class FixedToken:
    """AUTOS_PDPJ_ACCESS_TOKEN alone: nothing to renew it with."""

    def __init__(
        self, value: str, *, seconds: Callable[[], float] = monotonic, on_refused: Callable[[], None] = unheard
    ) -> None:
        self._token = Token(value, 1)
        self._on_refused = on_refused
        self._acceptance = Acceptance(seconds)

    async def token(self) -> Token:
        """The configured token, whether or not it still works."""
        return self._token

    async def renewed(self, rejected: Token) -> Token:
        """Raises TokenRejected or CredentialsRefused, always: there is nothing to renew it with."""
        raise await self.refuse(rejected)

    async def refuse(self, rejected: Token) -> SourceError:
        """TokenRejected while the source took the token in the last 20 s, else CredentialsRefused for a minute."""
        if self._acceptance.recent:
            return TokenRejected()
        _log.error("The source refuses the configured access token; everything waits for another one")
        self._on_refused()
        return CredentialsRefused("the source refuses the configured access token", _FIXED_WAIT_SECONDS)

    def accepted(self) -> None:
        """Remember that the token works."""
        self._acceptance.note()

    async def aclose(self) -> None:
        """Nothing to close."""


class SharedToken:
    """A token that other processes renew: read from the store, never logged in for (the api's role may only read)."""

    def __init__(self, store: CredentialStore, name: str, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._name = name
        self._clock = clock

    async def token(self) -> Token:
        """The token that is kept, read at each call. Raises CredentialsRefused (for 2 s) while there is
        no valid one.
        """
        kept = await self._store.load(self._name)
        if (token := usable(kept, self._clock())) is None:
            raise CredentialsRefused("no valid token is kept; the downloader gets one", _READ_AGAIN_SECONDS)
        return token

    async def renewed(self, rejected: Token) -> Token:
        """The kept token, when it is newer than the rejected one. Raises CredentialsRefused when it is not."""
        token = await self.token()
        if token.generation <= rejected.generation:
            raise await self.refuse(rejected)
        return token

    async def refuse(self, rejected: Token) -> SourceError:
        """CredentialsRefused for 2 s; the process that renews counts the refusals."""
        return CredentialsRefused("the source refuses the kept token", _READ_AGAIN_SECONDS)

    def accepted(self) -> None:
        """Nothing: what this process sees is not counted."""

    async def aclose(self) -> None:
        """Nothing to close."""


def build_credentials(
    settings: PdpjSettings,
    *,
    store: CredentialStore | None = None,
    read_only: bool = False,
    clock: Clock = utc_now,
    on_refused: Callable[[], None] = unheard,
    on_reason: Callable[[str], None] | None = None,
) -> Credentials:
    """The credentials that are set. ``store`` is what the processes share (None: this one is alone).

    ``read_only`` is for a process that may not write the store: a refresh token, which works once, is then left to
    those that may, and their access token is used. Other log-ins it makes for itself. ``on_refused`` hears of each time
    that the source refuses us, ``on_reason`` of each OAuth 2 error code that a log-in is refused with.

    Nothing is asked yet. Raises ValueError for a refresh token with ``read_only`` and no store.
    """
    grant = settings.pdpj_grant
    if grant is TokenGrant.FIXED:
        assert settings.pdpj_access_token is not None
        return FixedToken(settings.pdpj_access_token.get_secret_value(), on_refused=on_refused)
    name = credential_name(settings)
    if grant is TokenGrant.REFRESH_TOKEN and read_only:
        if store is None:
            raise ValueError("a process that may not renew a refresh token needs the store to read from")
        return SharedToken(store, name, clock=clock)
    if store is None or read_only:
        store = MemoryCredentialStore()
    assert settings.pdpj_token_url is not None
    assert settings.pdpj_client_id is not None
    secret = settings.pdpj_client_secret
    transport = SourceTransport(settings)
    endpoint = TokenEndpoint(
        transport,
        settings.pdpj_token_url,
        settings.pdpj_client_id,
        secret.get_secret_value() if secret is not None else None,
    )

    async def log_in(kept: Credential) -> Tokens:
        try:
            if grant is TokenGrant.CLIENT_CREDENTIALS or kept.refresh_token is None:
                return await endpoint.log_in()
            return await endpoint.refresh(kept.refresh_token)
        except LogInRefused as refusal:
            if on_reason is not None:
                on_reason(refusal.reason)
            raise

    owned = AsyncExitStack()
    owned.push_async_callback(transport.aclose)
    return RenewedToken(store, name, log_in, seed=_seed(settings), clock=clock, on_refused=on_refused, owned=owned)


def credential_name(settings: PdpjSettings) -> str:
    """The name in the store. Other settings give another: a corrected secret waits for no refusal of the old one."""
    secrets = (settings.pdpj_client_secret, settings.pdpj_refresh_token)
    parts = [settings.pdpj_token_url or "", settings.pdpj_client_id or ""]
    parts += [secret.get_secret_value() if secret is not None else "" for secret in secrets]
    # Slow on purpose: the name stands in the database, and a client secret may be a weak one.
    digest = hashlib.pbkdf2_hmac("sha256", "\n".join(parts).encode(), b"autos source.credentials", 50_000, 8)
    return f"{settings.pdpj_grant}:{digest.hex()}"


def _seed(settings: PdpjSettings) -> Credential:
    """What the settings give for the start: with a refresh token perhaps an access token too."""
    if settings.pdpj_grant is not TokenGrant.REFRESH_TOKEN:
        return Credential()
    assert settings.pdpj_refresh_token is not None
    access = settings.pdpj_access_token
    return Credential(
        access_token=access.get_secret_value() if access is not None else None,
        refresh_token=settings.pdpj_refresh_token.get_secret_value(),
        generation=0 if access is None else 1,
    )
