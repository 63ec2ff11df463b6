"""Sessions and tokens as Keycloak gives them: expiry, rotation, reuse detection, brute-force lock.

Pure of HTTP: :mod:`autos.local.pdpj.token_routes` turns a refusal into the answer of the token endpoint.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson

from autos.local.pdpj.control_model import TokenSetting

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the token endpoint says no: an OAuth 2 error code (RFC 6749, section 5.2) and Keycloak's words for it."""

    status: int
    error: str
    description: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A successful log-in or refresh. Lifetimes in seconds; ``refresh_token`` None when there is none."""

    access_token: str
    expires_in: int
    refresh_token: str | None
    refresh_expires_in: int
    session_id: str


@dataclass(slots=True)
class _Session:
    session_id: str
    access_tokens: set[str] = field(default_factory=set)
    refresh_tokens: dict[str, datetime] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)


INVALID_CLIENT: Final = Refusal(401, "unauthorized_client", "Invalid client or Invalid client credentials")
LOCKED: Final = Refusal(400, "invalid_grant", "Account disabled")
NOT_ACTIVE: Final = Refusal(400, "invalid_grant", "Token is not active")
INVALID_REFRESH: Final = Refusal(400, "invalid_grant", "Invalid refresh token")
REUSED: Final = Refusal(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")


class TokenAuthority:
    """The realm: which tokens are valid now, and who may have new ones."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.setting = TokenSetting()
        self.refused = 0
        """Refused requests since the last reset."""
        self.locked = False
        self._refused_in_a_row = 0
        self._access: dict[str, datetime] = {}
        self._by_refresh: dict[str, _Session] = {}

    def is_valid(self, access_token: str) -> bool:
        expires_at = self._access.get(access_token)
        return expires_at is not None and (expires_at is _NEVER or self._clock() < expires_at)

    def allow(self, access_tokens: Iterable[str], refresh_tokens: Iterable[str] = ()) -> None:
        """Make tokens from elsewhere valid; they do not expire."""
        for token in access_tokens:
            self._access[token] = _NEVER
        for token in refresh_tokens:
            session = _Session(secrets.token_hex(8), refresh_tokens={token: _NEVER})
            self._by_refresh[token] = session

    def unlock(self) -> None:
        """Open the account again and forget the refusals."""
        self.locked = False
        self.refused = self._refused_in_a_row = 0

    def revoke(self, *, refresh: bool = False) -> None:
        """End every access token, or also every session."""
        self._access.clear()
        if refresh:
            self._by_refresh.clear()

    def log_in(self, client_id: str, client_secret: str) -> Grant | Refusal:
        """The client_credentials grant."""
        if self.locked:
            return self._refuse(LOCKED)
        wanted = self.setting
        known = (
            wanted.client_id is None or secrets.compare_digest(wanted.client_id.encode(), client_id.encode())
        ) and (
            wanted.client_secret is None
            or secrets.compare_digest(wanted.client_secret.encode(), client_secret.encode())
        )
        if not known or not client_id:
            return self._refuse(INVALID_CLIENT)
        return self._grant(_Session(secrets.token_hex(8)), with_refresh=wanted.refresh_with_client_credentials)

    def refresh(self, refresh_token: str) -> Grant | Refusal:
        """The refresh_token grant. A token used twice ends its session when rotation is on."""
        if self.locked:
            return self._refuse(LOCKED)
        session = self._by_refresh.get(refresh_token)
        if session is None:
            return self._refuse(INVALID_REFRESH)
        if refresh_token in session.spent:
            self._end(session)
            return self._refuse(REUSED)
        if self._clock() >= session.refresh_tokens[refresh_token]:
            return self._refuse(NOT_ACTIVE)
        if self.setting.rotate:
            session.spent.add(refresh_token)
        return self._grant(session, with_refresh=True)

    def issue(self) -> Grant:
        """A session with both tokens, for a test that starts with a refresh token."""
        return self._grant(_Session(secrets.token_hex(8)), with_refresh=True)

    def _grant(self, session: _Session, *, with_refresh: bool) -> Grant:
        now = self._clock()
        setting = self.setting
        self._refused_in_a_row = 0
        access_token = self._jwt(session.session_id, now, setting.expires_in, "Bearer")
        self._access[access_token] = _later(now, setting.expires_in)
        session.access_tokens.add(access_token)
        refresh_token = None
        if with_refresh:
            refresh_token = self._jwt(session.session_id, now, setting.refresh_expires_in, "Refresh")
            session.refresh_tokens[refresh_token] = _later(now, setting.refresh_expires_in)
            self._by_refresh[refresh_token] = session
        return Grant(
            access_token=access_token,
            expires_in=setting.expires_in,
            refresh_token=refresh_token,
            refresh_expires_in=setting.refresh_expires_in if with_refresh else 0,
            session_id=session.session_id,
        )

    def _end(self, session: _Session) -> None:
        """Everything of the session stops to work; its refresh tokens stay known, so that reuse is told again."""
        for token in session.access_tokens:
            self._access.pop(token, None)
        session.spent.update(session.refresh_tokens)

    def _refuse(self, refusal: Refusal) -> Refusal:
        self.refused += 1
        self._refused_in_a_row += 1
        if self.setting.lock_after is not None and self._refused_in_a_row >= self.setting.lock_after:
            self.locked = True
        return refusal

    @staticmethod
    def _jwt(session_id: str, now: datetime, lifetime: int, kind: str) -> str:
        """Shaped as a JWT (RFC 7519), for clients that look at ``exp``; the signature is noise and nobody checks it."""
        issued = int(now.timestamp())
        claims = {"exp": issued + lifetime, "iat": issued, "jti": secrets.token_hex(16), "typ": kind, "sid": session_id}
        parts = (orjson.dumps({"alg": "RS256", "typ": "JWT"}), orjson.dumps(claims), secrets.token_bytes(32))
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _later(now: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(now.timestamp() + seconds, UTC)
