"""Records who read what, before the answer leaves: an answer that is not recorded is not given.

Requests that end at the same moment share a statement (:class:`shared.concurrency.batcher.Batcher`), so that the disk
is waited for once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.access.caller import Caller
from services.api.access_log.addresses import client_address
from services.api.http.error_handlers import answer
from services.api.http.parameters import case_number
from services.api.http.problems import InvalidProcessNumberProblem, ServiceUnavailable
from services.api.http.shown_cases import Shown, ShownCase
from shared.concurrency.batcher import Batcher
from shared.db.audit import CaseRead, add_reads
from shared.db.engine import Database
from shared.domain.api_keys import Scope as KeyScope
from shared.errors import InfrastructureAway
from shared.settings import Network

_MOST: Final = 200
_FAILED: Final = 400

_log = logging.getLogger(__name__)


class _NotRecorded(Exception):
    """Raised into whatever makes an answer that must not be given, once another was given in its place."""


class AccessRecorder:
    """Adds rows to the access log. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher: Batcher[Sequence[CaseRead], None] = Batcher(self._add, most=_MOST)

    async def record(self, reads: Sequence[CaseRead]) -> None:
        """Return when the rows are committed. Raises InfrastructureAway and DatabaseRefused."""
        await self._batcher.submit(reads)

    async def _add(self, batch: Sequence[Sequence[CaseRead]]) -> list[None]:
        """Add the rows of several answers by one statement: all or none of them are recorded."""
        rows = [read for reads in batch for read in reads]
        await self._database.autocommit(lambda connection: add_reads(connection, rows))
        return [None] * len(batch)


class AccessLog:
    """Stands next to the routes: sees each answer's head, and lets it go when the reading is recorded.

    Only answers below 400 are readings. It is the innermost part of what surrounds a request, since it asks what the
    routes leave in the scope: the route, the caller, and what a JSON answer shows (:mod:`services.api.http.answers`).
    When a reading cannot be recorded, the client gets 503 ``service_unavailable`` in place of the answer, and whatever
    was making its body is ended by an exception.
    """

    def __init__(self, app: ASGIApp, recorder: AccessRecorder, trusted: Sequence[Network]) -> None:
        self._app = app
        self._recorder = recorder
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < _FAILED:
                reads = reads_of(scope, message["status"], self._trusted)
                if reads and not await self._recorded(reads):
                    away = ServiceUnavailable(
                        "the access log cannot be written, try again", headers={"Retry-After": "2"}
                    )
                    await answer(away, Request(scope))(scope, receive, send)
                    raise _NotRecorded
            await send(message)

        try:
            await self._app(scope, receive, sending)
        # Also in a group: several tasks send a stream.
        except* _NotRecorded:
            pass

    async def _recorded(self, reads: Sequence[CaseRead]) -> bool:
        """Whether the rows are committed. Never raises: the caller answers for it either way."""
        try:
            await self._recorder.record(reads)
        except InfrastructureAway:
            return False
        # An edge: whatever the reason is, nobody reads what is not recorded.
        except Exception as error:  # noqa: BLE001
            _log.error("Reading cannot be recorded, the client gets 503", extra={"error": type(error).__name__})
            return False
        return True


def reads_of(scope: Scope, status: int, trusted: Sequence[Network]) -> list[CaseRead]:
    """The rows of one answer: one for each case that is in it, or that its address names. Pure.

    None for an answer without a caller (health, the page's files) and for one that has nothing of a case. ``trusted``
    are the networks of proxies whose ``X-Forwarded-For`` is believed.
    """
    state: dict[str, Any] = scope.get("state", {})
    caller: Caller | None = state.get("caller")
    path = getattr(scope.get("route"), "path", None)
    if caller is None or not isinstance(path, str):
        return []
    shown = _shown(scope, state, status)
    if not shown:
        return []
    headers = Headers(scope=scope)
    address = client_address(
        scope["client"][0] if scope.get("client") else None, headers.getlist("x-forwarded-for"), trusted
    )
    document_id = _document_id(scope)
    return [
        CaseRead(
            process_number=number,
            route=f"{scope['method']} {path}",
            client_id=caller.client_id,
            key_id=caller.key_id,
            document_id=document_id,
            status=status,
            documents=case.documents,
            links=case.links,
            sees_sealed=caller.may(KeyScope.SEALED),
            address=address,
            request_id=state.get("request_id"),
            trace_id=state.get("traceparent", "")[3:35] or None,
        )
        for number, case in shown.items()
    ]


def _shown(scope: Scope, state: Mapping[str, Any], status: int) -> Mapping[str, ShownCase]:
    """What the answer has of which case: as its JSON says, else of the case that its address names."""
    json: Shown | None = state.get("shown")
    if json is not None and json.cases:
        return json.cases
    try:
        number = case_number(str(scope["path_params"].get("numero", "")))
    except InvalidProcessNumberProblem:
        return {}
    linked = status == HTTPStatus.TEMPORARY_REDIRECT or scope["route"].path.endswith("/preview")
    if _document_id(scope) is not None:
        return {number: ShownCase(1, int(linked))}
    if (documents := state.get("shown_documents")) is not None:
        return {number: ShownCase(documents, 0)}
    # A stream says what happens until it ends: nothing that can be counted before.
    return {number: json.here if json is not None else ShownCase(None, None)}


def _document_id(scope: Scope) -> str | None:
    """The document that the address names. The route has checked it."""
    named = scope["path_params"].get("document_id")
    return str(uuid.UUID(str(named))) if named is not None else None
