"""The source behind one interface: the portal or the data lake, chosen by AUTOS_PDPJ_API.

Every method raises only errors of :mod:`sources.errors` (and lets cancellation through: the deadline for metadata
is the caller's ``asyncio.timeout``). With a gate, each request waits for its turn and reports how the source is.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager, closing, nullcontext
from typing import Final

import httpx

from shared.domain import cnj
from shared.domain.case import Case
from sources.base import CourtSource, RequestEnded
from sources.content.judgement import UNLISTED, Listed
from sources.errors import (
    NoAccess,
    NoAddress,
    ProcessNotFound,
    SourceAway,
    SourceError,
    SourceServerError,
    SourceUnavailable,
)
from sources.gate.limiter import Asker, Slot, SourceGate
from sources.pdpj.answers import Wanted, misplaced, refusal, says_no_access
from sources.pdpj.auth.credentials import Credentials, Token
from sources.pdpj.parse.case_reader import CaseReader
from sources.pdpj.parse.documents import is_source_path
from sources.pdpj.parse.elements import finds_nothing
from sources.pdpj.settings import Api, PdpjSettings
from sources.pdpj.wire.received import Received, receive
from sources.pdpj.wire.request_headers import Fields, with_fields
from sources.pdpj.wire.stream import DocumentStream, StreamLimits
from sources.pdpj.wire.transport import SourceTransport
from sources.pdpj.wire.version import version_in

_log = logging.getLogger(__name__)

_REFUSAL_BYTES: Final = 64 * 1024
_REFUSAL_SECONDS: Final = 5.0  # a failing answer may drip its body too
# 401 too: without a body it may say that the token is bad or that we have no standing. The case will tell; a token
# renewed or refused on this word alone could end in a locked account.
_NO_VERSION: Final = frozenset({204, 401, 404, 405, 501})
_ACCEPTED: Final = frozenset({200, 202, 204, 404})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})

_NUMBER: Final = re.compile(r"[0-9.-]{20,25}")

_CONTENT: Final[Fields] = (("accept", "*/*"), ("accept-encoding", "identity"))
_METADATA: Final[Fields] = (("accept", "application/json"), ("accept-encoding", "gzip"))
_NO_GATE: Final = nullcontext(None)


class _HttpSource:
    """What both APIs share: address, token, gate, and what an answer means."""

    def __init__(
        self,
        root: str,
        transport: SourceTransport,
        credentials: Credentials,
        settings: PdpjSettings,
        gate: SourceGate | None,
        heard: RequestEnded,
    ) -> None:
        self._heard = heard
        self._root = httpx.URL(root)
        self._path = self._root.raw_path.decode("ascii").rstrip("/")
        self._transport = transport
        self._credentials = credentials
        self._fields = {
            ours: with_fields(ours, settings.pdpj_user_agent, settings.added_fields) for ours in (_CONTENT, _METADATA)
        }
        self._gate = gate
        # A case looks different from another server or to another account: their versions are not to be compared.
        self._view = f"{root} {settings.pdpj_client_id or ''}"
        self._refusal_seconds = min(_REFUSAL_SECONDS, settings.pdpj_read_timeout)
        self._max_metadata_bytes = settings.pdpj_max_metadata_bytes
        self._reader = CaseReader(settings)
        self._limits = StreamLimits(
            settings.pdpj_max_document_bytes, settings.pdpj_min_bytes_per_second, settings.pdpj_read_timeout
        )

    async def aclose(self) -> None:
        await self._transport.aclose()
        await self._credentials.aclose()

    @asynccontextmanager
    async def open_document(
        self, source_path: str, listed: Listed = UNLISTED, *, patience: float | None = None
    ) -> AsyncIterator[DocumentStream]:
        if not is_source_path(source_path):
            raise NoAddress("this is not the address of a document")
        async with self._turn(source_path.split("/")[2]) as slot:
            response = await self._ask("GET", source_path, _CONTENT, patience)
            try:
                if response.status_code != 200:
                    raise await self._refused(response, Wanted.DOCUMENT)
                async with aclosing(self._transport.body(response, patience)) as body:
                    stream = await DocumentStream.open(response, body, self._limits.within(patience), listed)
                    if slot is not None:
                        slot.answered()
                    yield stream
            finally:
                await response.aclose()

    async def _metadata(self, path: str, patience: float | None) -> Received:
        """The body of a 200 answer to a question about a case, for the caller to close. Raises CaseTooLarge too."""
        async with (
            self._turn(_NUMBER.findall(path)[0], about_case=True),
            aclosing(await self._ask("GET", path, _METADATA, patience)) as response,
        ):
            if response.status_code != 200:
                raise await self._refused(response, Wanted.CASE)
            async with aclosing(self._transport.pieces(response)) as pieces:
                body = await receive(pieces, self._max_metadata_bytes, self._reader.directory)
            if (error := misplaced(response.headers, body.head, Wanted.CASE)) is not None:
                body.close()
                raise error
            return body

    @asynccontextmanager
    async def _turn(self, case: str, *, about_case: bool = False) -> AsyncIterator[Slot | None]:
        turn = _NO_GATE if self._gate is None else self._gate.slot(Asker(case, about_case=about_case))
        try:
            async with turn as slot:
                yield slot
        except SourceError as error:
            self._heard(case, error)
            raise
        self._heard(case, None)

    async def _ask(self, method: str, path: str, headers: Fields, patience: float | None = None) -> httpx.Response:
        """The answer to a request with a valid token, to be closed: a 401 gets one more try with a renewed one."""
        credentials = self._credentials
        token = await credentials.token()
        response = await self._send(method, path, headers, token, patience=patience)
        try:
            if response.status_code in _MOVED and (target := self._moved_to(path, response)) is not None:
                await response.aclose()
                response = await self._send(method, target, headers, token, patience=patience, below_root=False)
            if response.status_code == 401:
                if says_no_access(await self._error_body(response)):
                    raise NoAccess
                await response.aclose()
                token = await credentials.renewed(token)
                response = await self._send(method, path, headers, token, patience=patience)
                if response.status_code == 401:
                    if says_no_access(await self._error_body(response)):
                        raise NoAccess
                    raise await credentials.refuse(token)
            if response.status_code in _ACCEPTED:
                credentials.accepted()
        except BaseException:
            await response.aclose()
            raise
        return response

    def _moved_to(self, path: str, response: httpx.Response) -> str | None:
        """The path that a redirect leads to, within our origin; None for any other: nobody else gets the token."""
        asked = self._root.copy_with(raw_path=(self._path + path).encode("ascii"))
        try:
            target = asked.join(response.headers.get("location", ""))
        except (httpx.InvalidURL, ValueError):
            return None
        same = (target.scheme, target.host, _port(target)) == (asked.scheme, asked.host, _port(asked))
        if not same or target.userinfo or target.raw_path == asked.raw_path:
            return None
        return target.raw_path.decode("ascii")

    async def _refused(self, response: httpx.Response, wanted: Wanted) -> SourceError:
        return refusal(response.status_code, response.headers, await self._error_body(response), wanted)

    async def _error_body(self, response: httpx.Response) -> bytes:
        """The beginning of a failing answer's body; nothing when it does not come: the status says enough then."""
        try:
            async with asyncio.timeout(self._refusal_seconds):
                return await self._transport.read_at_most(response, _REFUSAL_BYTES)
        except (SourceError, TimeoutError):
            return b""

    async def _send(
        self,
        method: str,
        path: str,
        headers: Fields,
        token: Token,
        *,
        within: float | None = None,
        patience: float | None = None,
        below_root: bool = True,
    ) -> httpx.Response:
        authorized = [*self._fields[headers], ("authorization", f"Bearer {token.value}")]
        target = self._path + path if below_root else path
        return await self._transport.ask(method, self._root, target, authorized, within, patience)


class PortalSource(_HttpSource):
    """The portal, ``{base}/api/v2``. It has no change detection."""

    async def fetch_case(self, number: str, *, patience: float | None = None) -> Case:
        number = cnj.parse(number)
        with closing(await self._metadata(f"/processos/{number}", patience)) as body:
            return _told(await self._reader.read(number, [body]))

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        return None


class DataLakeSource(_HttpSource):
    """The data lake, ``{base}/processo-api/api/v1``: two requests a case, and a HEAD that tells of changes."""

    async def fetch_case(self, number: str, *, patience: float | None = None) -> Case:
        number = cnj.parse(number)
        with ExitStack() as held:
            try:
                body = held.enter_context(closing(await self._metadata(f"/processos/{number}", patience)))
            except SourceServerError:
                # The lake answers 500 for a case that it does not have; a search says whether it has it.
                if await self._has_not(number, patience):
                    raise ProcessNotFound from None
                raise
            try:
                listed = await self._list_of(number, patience)
            except SourceUnavailable:
                case = await self._reader.read(number, [body, None])
                if not case.documents:  # then the list is all that could tell
                    raise
                return _told(case)
            if listed is not None:
                held.enter_context(closing(listed))
            return _told(await self._reader.read(number, [body, listed]))

    async def _list_of(self, number: str, patience: float | None) -> Received | None:
        """The list of documents; None when there is none to be read. The case lists documents too.

        Raises SourceAway; where the list alone is away, at the second try.
        """
        path = f"/processos/{number}/documentos"
        try:
            try:
                return await self._metadata(path, patience)
            except SourceUnavailable:
                return await self._metadata(path, patience)
        except SourceAway:
            raise
        except SourceError as error:
            _log.info("a case's list of documents could not be read", extra={"code": error.code})
            return None

    async def _has_not(self, number: str, patience: float | None) -> bool:
        """Whether the search by its number finds nothing. What is no answer says nothing."""
        try:
            with closing(await self._metadata(f"/processos?numeroProcesso={number}", patience)) as page:
                return finds_nothing(page.head)
        except ProcessNotFound:
            return True
        except SourceError:
            return False

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        number = cnj.parse(number)
        path = f"/processos/{number}/ultima-atualizacao"
        async with self._turn(number, about_case=True):
            token = await self._credentials.token()
            async with aclosing(await self._send("HEAD", path, _CONTENT, token, within=within)) as response:
                if response.status_code in _NO_VERSION:
                    return None
                if response.status_code != 200:
                    raise await self._refused(response, Wanted.CASE)
                return version_in(response.headers, self._view)


def _unheard(case: str, error: SourceError | None) -> None:
    """Nobody listens."""


def build_source(
    settings: PdpjSettings,
    *,
    credentials: Credentials,
    limiter: SourceGate | None = None,
    heard: RequestEnded = _unheard,
) -> CourtSource:
    """The source that the settings choose. It owns the credentials from here on: ``aclose`` closes them too.

    With ``limiter`` every request takes its own slot, so the caller takes none. Without it nothing is limited.
    ``heard`` is called at the end of each request, with its case and how it failed, if it did.
    """
    transport = SourceTransport(settings)
    made = PortalSource if settings.pdpj_api is Api.PORTAL else DataLakeSource
    return made(root_of(settings), transport, credentials, settings, limiter, heard)


def root_of(settings: PdpjSettings) -> str:
    """The address that the paths of the chosen API are below."""
    below = "/api/v2" if settings.pdpj_api is Api.PORTAL else "/processo-api/api/v1"
    return f"{settings.pdpj_base_url}{below}"


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _told(case: Case) -> Case:
    if case.unaddressed:
        _log.warning("a case lists documents without an address", extra={"documents": case.unaddressed})
    return case
