"""Token, one case, one document: the requests of the product itself, each within its time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Final

import httpx

from autos.context import read_stack
from autos.source.diagnoses import (
    AnswerKind,
    ConnectionFailure,
    Diagnosis,
    HttpAnswer,
    kind_of,
    of_answer,
    of_connection_failure,
    of_document_error,
    of_refusal,
    of_token_error,
)
from autos.source.settings import DoctorSettings
from shared.db.engine import Database
from sources.errors import SourceError, SourceTimeout
from sources.gate.control_request import NEUTRAL_CASE
from sources.pdpj.auth.credentials import FixedToken, build_credentials, credential_name
from sources.pdpj.auth.token_store import CredentialStore, MemoryCredentialStore, PostgresCredentialStore
from sources.pdpj.client import build_source, root_of
from sources.pdpj.parse.fields import as_dict, read_json
from sources.pdpj.settings import Api, TokenGrant
from sources.pdpj.wire.request_headers import with_fields
from sources.pdpj.wire.transport import SourceTransport, origin_of

TOKEN_SECONDS: Final = 40.0
CASE_SECONDS: Final = 30.0
DOCUMENT_SECONDS: Final = 60.0
_HEAD_BYTES: Final = 64 * 1024
_ASKS: Final = (("accept", "application/json"), ("accept-encoding", "identity"))


@dataclass(frozen=True, slots=True)
class TokenResult:
    """A token, where there is one, and what is to be said of it."""

    diagnosis: Diagnosis
    token: str | None = None


async def get_token(settings: DoctorSettings) -> TokenResult:
    """By the grant that is set: what the product would use, or a new one."""
    if settings.pdpj_grant is TokenGrant.FIXED:
        assert settings.pdpj_access_token is not None
        return _fixed(settings.pdpj_access_token.get_secret_value())
    try:
        async with asyncio.timeout(TOKEN_SECONDS), _store(settings) as store:
            return await _log_in(settings, store)
    except TimeoutError:
        return TokenResult(of_token_error(SourceTimeout()))
    except SourceError as error:
        return TokenResult(of_token_error(error))
    # The database that keeps the tokens is away, or refuses us: without it a refresh token must not be used up.
    except Exception as error:  # noqa: BLE001
        words = f"the database that keeps the tokens (AUTOS_DATABASE_URL) cannot be asked: {type(error).__name__}"
        return TokenResult(Diagnosis(False, words))


async def _log_in(settings: DoctorSettings, store: CredentialStore) -> TokenResult:
    reasons: list[str] = []
    credentials = build_credentials(settings, store=store, on_reason=reasons.append)
    try:
        token = await credentials.token()
    except SourceError as error:
        return TokenResult(of_refusal(reasons[-1], settings.pdpj_grant) if reasons else of_token_error(error))
    finally:
        await credentials.aclose()
    kept = await store.load(credential_name(settings))
    words = f"there is a token, by {settings.pdpj_grant.value}"
    if isinstance(store, MemoryCredentialStore) and settings.pdpj_refresh_token is not None:
        words += _saved(settings, kept.refresh_token)
    return TokenResult(Diagnosis(True, words), token.value)


def _saved(settings: DoctorSettings, refresh_token: str | None) -> str:
    """Nobody else keeps the token that followed: it may be the only one that is left."""
    assert settings.pdpj_refresh_token is not None
    if refresh_token is None or refresh_token == settings.pdpj_refresh_token.get_secret_value():
        return ""
    path: Path = settings.data_dir / "pdpj-refresh-token"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(refresh_token)
    return f"; the refresh token that is set may be used up: put the one in {path} in its place"


@asynccontextmanager
async def _store(settings: DoctorSettings) -> AsyncIterator[CredentialStore]:
    """Where the product keeps its tokens, when a refresh token is set and the database is known; else memory."""
    url = settings.database_url or (read_stack() or {}).get("database_url")
    if settings.pdpj_grant is not TokenGrant.REFRESH_TOKEN or not url:
        yield MemoryCredentialStore()
        return
    database = Database.connect(str(url), application_name="autos-doctor", pool_size=1)
    try:
        store = PostgresCredentialStore(database, settings.secret_keys)
        await store.load(credential_name(settings))
        yield store
    finally:
        await asyncio.to_thread(database.close)


def _fixed(token: str) -> TokenResult:
    ends = _end_of(token)
    if ends is None:
        return TokenResult(Diagnosis(True, "AUTOS_PDPJ_ACCESS_TOKEN is set; when it ends is not in it"), token)
    left = ends - time()
    if left <= 0:
        words = f"AUTOS_PDPJ_ACCESS_TOKEN ended {_span(-left)} ago: set a new one, or use a refresh token"
        return TokenResult(Diagnosis(False, f"token refused: {words}"))
    return TokenResult(Diagnosis(True, f"AUTOS_PDPJ_ACCESS_TOKEN ends in {_span(left)}; nothing renews it"), token)


def _end_of(token: str) -> float | None:
    """``exp`` of a JSON Web Token (RFC 7519, section 4.1.4), and nothing else of it."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = as_dict(read_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except (binascii.Error, ValueError):
        return None
    exp = claims.get("exp")
    return float(exp) if isinstance(exp, int | float) and not isinstance(exp, bool) else None


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


async def ask_case(settings: DoctorSettings, token: str, number: str | None) -> Diagnosis:
    """One request about one case, judged by its answer."""
    transport = SourceTransport(settings)
    case = number or NEUTRAL_CASE
    try:
        answer = await _answer(settings, transport, token, f"/processos/{case}")
        if answer.status == 500 and settings.pdpj_api is Api.DATA_LAKE:
            # The lake answers 500 for a case that it does not have; a search says whether it has it.
            search = await _answer(settings, transport, token, f"/processos?numeroProcesso={case}")
            answer = search if kind_of(search) is AnswerKind.ABSENT else answer
    except SourceTimeout:
        return of_connection_failure(ConnectionFailure.TIMEOUT)
    except SourceError:
        return of_connection_failure(ConnectionFailure.BROKEN)
    finally:
        await transport.aclose()
    return of_answer(answer, api=settings.pdpj_api, grant=settings.pdpj_grant, given=number is not None)


async def _answer(settings: DoctorSettings, transport: SourceTransport, token: str, path: str) -> HttpAnswer:
    root = httpx.URL(root_of(settings))
    fields = with_fields(_ASKS, settings.pdpj_user_agent, settings.added_fields)
    target = root.raw_path.decode("ascii").rstrip("/") + path
    headers = [*fields, ("authorization", f"Bearer {token}")]
    answer, moved_to = await _one_answer(transport, root, target, headers)
    if moved_to is not None:  # as the product does: once, within the origin
        answer, _ = await _one_answer(transport, root, moved_to, headers)
    return answer


async def _one_answer(
    transport: SourceTransport, root: httpx.URL, target: str, headers: list[tuple[str, str]]
) -> tuple[HttpAnswer, str | None]:
    """The answer, and where it leads to within the origin."""
    async with aclosing(await transport.ask("GET", origin_of(root), target, headers, within=CASE_SECONDS)) as response:
        try:
            head = await transport.read_at_most(response, _HEAD_BYTES)
        except SourceError:
            head = b""  # the status says enough
        location = response.headers.get("location", "") if 300 <= response.status_code < 400 else ""
        return HttpAnswer(response.status_code, head, "openid-connect" in location), _within(root, target, location)


def _within(root: httpx.URL, target: str, location: str) -> str | None:
    asked = root.copy_with(raw_path=target.encode("ascii"))
    try:
        found = asked.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    same = (found.scheme, found.netloc) == (asked.scheme, asked.netloc) and not found.userinfo
    return found.raw_path.decode("ascii") if same and location and found.raw_path != asked.raw_path else None


async def ask_document(settings: DoctorSettings, token: str, number: str) -> Diagnosis:
    """The beginning of the first document of the case that can be fetched."""
    source = build_source(settings, credentials=FixedToken(token))
    try:
        async with asyncio.timeout(DOCUMENT_SECONDS):
            case = await source.fetch_case(number)
            path = next((each.source_path for each in case.documents if each.source_path), None)
            if path is None:
                return Diagnosis(None, "the case lists no document that has an address: try another case")
            async with source.open_document(path) as stream:
                read = 0
                async for piece in stream.aiter_bytes():
                    read += len(piece)
                    if read >= _HEAD_BYTES:
                        break
                words = (
                    f"{len(case.documents)} listed; the first begins well ({stream.content_type}, {read:,} bytes read)"
                )
                return Diagnosis(True, words)
    except TimeoutError:
        return of_document_error(SourceTimeout())
    except SourceError as error:
        return of_document_error(error)
    finally:
        await source.aclose()
