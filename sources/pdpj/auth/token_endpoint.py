"""The token endpoint: one exchange of a grant for tokens (RFC 6749, sections 4.4, 5 and 6; Keycloak)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard
from urllib.parse import quote

import httpx

from sources.errors import SourceAway, SourceError, SourceUnavailable
from sources.pdpj.answers import AskedFor, refusal
from sources.pdpj.parse.fields import as_dict, read_json
from sources.pdpj.wire.transport import SourceTransport

_MAX_ANSWER_BYTES: Final = 64 * 1024
_MAX_LIFETIME_SECONDS: Final = 30 * 86400.0
_DEFAULT_LIFETIME_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a log-in gives. ``lifetime`` of the access token in seconds."""

    access_token: str
    lifetime: float
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"Tokens(lifetime={self.lifetime})"


class LogInRefused(Exception):
    """The endpoint says no to our credentials. ``reason`` is its OAuth 2 error code, or the status."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenEndpoint:
    """Asks for tokens; one request a call, nothing is retried.

    Every failure but a refusal is SourceAway: an endpoint that is down is a source that is down.
    """

    def __init__(self, transport: SourceTransport, url: str, client_id: str, client_secret: str | None) -> None:
        self._transport = transport
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret

    async def log_in(self) -> Tokens:
        """The client_credentials grant. Raises LogInRefused and SourceAway."""
        return await self._exchange({"grant_type": "client_credentials"})

    async def refresh(self, refresh_token: str) -> Tokens:
        """The refresh_token grant. Raises LogInRefused and SourceAway."""
        return await self._exchange({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def _exchange(self, form: Mapping[str, str]) -> Tokens:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if self._client_secret is None:
            form = {**form, "client_id": self._client_id}
        else:
            # RFC 6749, section 2.3.1, with a space as %20: not every server reads "+" as one.
            pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            async with self._transport.send("POST", self._url, headers=headers, form=form) as response:
                body = await self._transport.read_at_most(response, _MAX_ANSWER_BYTES)
        except SourceAway:
            raise
        except SourceError as error:
            raise SourceUnavailable("the token endpoint's answer could not be read") from error
        return _tokens(response, body)


def _tokens(response: httpx.Response, body: bytes) -> Tokens:
    answer = _object(body)
    if response.status_code == 200:
        access_token = answer.get("access_token")
        refresh_token = answer.get("refresh_token")
        if not _is_token(access_token):
            raise SourceUnavailable("the token endpoint's answer has no usable token")
        lifetime = _lifetime(answer.get("expires_in"))
        return Tokens(access_token, lifetime, refresh_token if _is_token(refresh_token) else None)
    if response.status_code in (400, 401, 403) and isinstance(answer.get("error"), str):
        raise LogInRefused(_code(answer["error"]))
    if response.status_code == 401:
        raise LogInRefused("401")
    error = refusal(response.status_code, response.headers, body, AskedFor.CASE)
    if isinstance(error, SourceAway):
        raise error
    raise SourceUnavailable(f"the token endpoint answered {response.status_code}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        return as_dict(read_json(body))
    except ValueError:
        return {}


def _is_token(value: object) -> TypeGuard[str]:
    """Whether it can stand in a header: a line break in a token would be a header of the endpoint's choice."""
    return isinstance(value, str) and 0 < len(value) <= 32768 and all("!" <= char <= "~" for char in value)


def _lifetime(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return _DEFAULT_LIFETIME_SECONDS
    return min(float(value), _MAX_LIFETIME_SECONDS)


def _code(error: str) -> str:
    return "".join(char for char in error[:60] if char.isascii() and (char.isalnum() or char in "_-.")) or "refused"
