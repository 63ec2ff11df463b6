"""The token endpoint: Keycloak's form, answers and errors over the authority of :mod:`autos.local.pdpj.tokens`."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import parse_qs, unquote

from autos.local.pdpj import answers
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.failures import FailureRule
from autos.local.pdpj.playing import failure
from autos.local.pdpj.source import Source
from autos.local.pdpj.tokens import Grant, Refusal

TOKEN_PATHS: Final = frozenset({"/token", "/auth/realms/pje/protocol/openid-connect/token"})
_NO_STORE: Final = b"Cache-Control: no-store\r\nPragma: no-cache\r\n"


class TokenRoutes:
    """``POST /token`` with client_credentials or refresh_token (RFC 6749, sections 4.4 and 6)."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, request: Request) -> Reply:
        source = self._source
        source.counters.arrived("token")
        source.counters.token_requests += 1
        played = None
        if source.setting.token_outage is not None:
            played = source.setting.token_outage
            rule = FailureRule(played, retry_after=source.setting.retry_after)
            reply = failure(rule, _error(Refusal(503, "temporarily_unavailable", "Unavailable")))
        elif request.method != "POST":
            reply = answers.json_reply(405, {"error": "HTTP 405 Method Not Allowed"}, b"Allow: POST\r\n")
        else:
            result = self._grant(request)
            reply = _error(result) if isinstance(result, Refusal) else _granted(result)
        reply.delay = source.tokens.setting.latency
        source.counters.answered(str(reply.status), played)
        return reply

    def _grant(self, request: Request) -> Grant | Refusal:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        client_id, client_secret = _client(request.authorization, form)
        match form.get("grant_type"):
            case None:
                return Refusal(400, "invalid_request", "Missing form parameter: grant_type")
            case "client_credentials":
                return self._source.tokens.log_in(client_id, client_secret)
            case "refresh_token":
                token = form.get("refresh_token")
                if token is None:
                    return Refusal(400, "invalid_request", "No refresh token")
                return self._source.tokens.refresh(token)
            case _:
                return Refusal(400, "unsupported_grant_type", "Unsupported grant_type")


def _client(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """Credentials from the Basic header (RFC 6749, section 2.3.1) or from the form."""
    if authorization is not None and authorization.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        client_id, _, secret = decoded.partition(":")
        return unquote(client_id), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _granted(grant: Grant) -> Reply:
    content: dict[str, object] = {
        "access_token": grant.access_token,
        "expires_in": grant.expires_in,
        "refresh_expires_in": grant.refresh_expires_in,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "email profile",
    }
    if grant.refresh_token is not None:
        content["refresh_token"] = grant.refresh_token
        content["session_state"] = grant.session_id
    return answers.json_reply(200, content, _NO_STORE)


def _error(refusal: Refusal) -> Reply:
    content = {"error": refusal.error, "error_description": refusal.description}
    return answers.json_reply(refusal.status, content, _NO_STORE)
