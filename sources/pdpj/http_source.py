"""One request to PDPJ: with a valid token, in its turn at the gate, and what its answer means. Both APIs share it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from time import perf_counter
from types import TracebackType
from typing import Final

import httpx

from sources.base import RequestEnded
from sources.content.judgement import UNLISTED, Listed
from sources.errors import (
    NoAccess,
    NoAddress,
    SourceError,
)
from sources.gate.gate import SourceGate
from sources.gate.requests import SourceCaller
from sources.gate.slot import Slot
from sources.pdpj.answers import AskedFor, misplaced, refusal, says_no_access
from sources.pdpj.auth.credentials import Credentials
from sources.pdpj.auth.tokens import Token
from sources.pdpj.parse.case_parser import CaseParser
from sources.pdpj.parse.documents import is_source_path
from sources.pdpj.settings import PdpjSettings
from sources.pdpj.wire.pyreqwest_adapter import WireAnswer
from sources.pdpj.wire.received import Received, receive
from sources.pdpj.wire.request_headers import Fields, with_fields
from sources.pdpj.wire.stream import DocumentStream, StreamLimits
from sources.pdpj.wire.transport import SourceTransport, origin_of

_REFUSAL_BYTES: Final = 64 * 1024
_REFUSAL_SECONDS: Final = 5.0  # a failing answer may drip its body too
_ACCEPTED: Final = frozenset({200, 202, 204, 404})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})

_NUMBER: Final = re.compile(r"[0-9.-]{20,25}")

CONTENT: Final[Fields] = (("accept", "*/*"), ("accept-encoding", "identity"))
METADATA: Final[Fields] = (("accept", "application/json"), ("accept-encoding", "gzip"))
_NO_GATE: Final = nullcontext(None)


class HttpSource:
    """Address, token, gate, and what an answer means. A 401 renews the token and asks once more."""

    def __init__(
        self,
        root: str,
        transport: SourceTransport,
        credentials: Credentials,
        settings: PdpjSettings,
        gate: SourceGate | None,
        on_end: RequestEnded,
    ) -> None:
        self._on_end = on_end
        self._root = httpx.URL(root)
        self._path = self._root.raw_path.decode("ascii").rstrip("/")
        self._origin = origin_of(self._root)
        self._transport = transport
        self.credentials = credentials
        self._fields = {
            ours: with_fields(ours, settings.pdpj_user_agent, settings.added_fields) for ours in (CONTENT, METADATA)
        }
        self._gate = gate
        # A case looks different from another server or to another account: their versions are not to be compared.
        self.view = f"{root} {settings.pdpj_client_id or ''}"
        self._refusal_seconds = min(_REFUSAL_SECONDS, settings.pdpj_read_timeout)
        self._max_metadata_bytes = settings.pdpj_max_metadata_bytes
        self.reader = CaseParser(settings)
        self._limits = StreamLimits(
            settings.pdpj_max_document_bytes, settings.pdpj_min_bytes_per_second, settings.pdpj_read_timeout
        )

    async def aclose(self) -> None:
        """Close every connection, then let a renewal of the token end."""
        await self._transport.aclose()
        await self.credentials.aclose()

    @asynccontextmanager
    async def open_document(
        self, source_path: str, listed: Listed = UNLISTED, *, read_timeout: float | None = None
    ) -> AsyncIterator[DocumentStream]:
        """See CourtSource. The slot of the gate is held until the block ends, so while the bytes are read.

        Raises NoAddress for a path that cannot be a document's: it is never asked for.
        """
        if not is_source_path(source_path):
            raise NoAddress("this is not the address of a document")
        async with self.admission(source_path.split("/")[2]) as slot:
            response = await self.ask("GET", source_path, CONTENT, read_timeout)
            try:
                if response.status_code != 200:
                    raise await self.refused(response, AskedFor.DOCUMENT)
                body = self._transport.body(response, read_timeout)
                stream = await DocumentStream.open(response, body, self._limits.within(read_timeout), listed)
                if slot is not None:
                    slot.answered()
                yield stream
            finally:
                await response.aclose()

    async def metadata(self, path: str, read_timeout: float | None) -> Received:
        """The body of a 200 answer to a question about a case, for the caller to close. Raises CaseTooLarge too."""
        async with (
            self.admission(_NUMBER.findall(path)[0], about_case=True),
            aclosing(await self.ask("GET", path, METADATA, read_timeout)) as response,
        ):
            if response.status_code != 200:
                raise await self.refused(response, AskedFor.CASE)
            async with aclosing(self._transport.pieces(response)) as pieces:
                body = await receive(pieces, self._max_metadata_bytes, self.reader.directory)
            if (error := misplaced(response.headers, body.head, AskedFor.CASE)) is not None:
                body.close()
                raise error
            return body

    def admission(self, case: str, *, about_case: bool = False) -> _Admission:
        """Wait for a turn at the gate, where there is one, and report how the request ended. None without a gate."""
        turn = _NO_GATE if self._gate is None else self._gate.slot(SourceCaller(case, about_case=about_case))
        return _Admission(turn, case, self._on_end)

    async def ask(self, method: str, path: str, headers: Fields, read_timeout: float | None = None) -> WireAnswer:
        """The answer to a request with a valid token, to be closed: a 401 gets one more try with a renewed one.

        A redirect is followed once, within our origin. Raises NoAccess for a 401 that says so, and what the credentials
        and the wire raise; any other status is for the caller to judge.
        """
        credentials = self.credentials
        token = await credentials.token()
        response = await self.send(method, path, headers, token, read_timeout=read_timeout)
        try:
            if response.status_code in _MOVED and (target := self._moved_to(path, response)) is not None:
                await response.aclose()
                response = await self.send(method, target, headers, token, read_timeout=read_timeout, below_root=False)
            if response.status_code == 401:
                if says_no_access(await self._error_body(response)):
                    raise NoAccess
                await response.aclose()
                token = await credentials.renewed(token)
                response = await self.send(method, path, headers, token, read_timeout=read_timeout)
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

    def _moved_to(self, path: str, response: WireAnswer) -> str | None:
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

    async def refused(self, response: WireAnswer, wanted: AskedFor) -> SourceError:
        """The error for an answer that is not the wanted 200; reads up to 64 KiB of its body, for 5 s at most."""
        return refusal(response.status_code, response.headers, await self._error_body(response), wanted)

    async def _error_body(self, response: WireAnswer) -> bytes:
        """The beginning of a failing answer's body; nothing when it does not come: the status says enough then."""
        try:
            async with asyncio.timeout(self._refusal_seconds):
                return await self._transport.read_at_most(response, _REFUSAL_BYTES)
        except (SourceError, TimeoutError):
            return b""

    async def send(
        self,
        method: str,
        path: str,
        headers: Fields,
        token: Token,
        *,
        within: float | None = None,
        read_timeout: float | None = None,
        below_root: bool = True,
    ) -> WireAnswer:
        """One request with this token, without a gate and without judging the answer; the caller closes it.

        ``path`` is below the API's root unless ``below_root`` is False. The other options are those of
        SourceTransport.ask.
        """
        authorized = [*self._fields[headers], ("authorization", f"Bearer {token.value}")]
        target = self._path + path if below_root else path
        return await self._transport.ask(method, self._origin, target, authorized, within, read_timeout)


class _Admission:
    """A turn at the gate for a block, of which ``on_end`` hears how it ended unless that says nothing of the source."""

    __slots__ = ("_began", "_case", "_on_end", "_turn")

    def __init__(self, turn: AbstractAsyncContextManager[Slot | None], case: str, on_end: RequestEnded) -> None:
        self._turn = turn
        self._case = case
        self._on_end = on_end

    async def __aenter__(self) -> Slot | None:
        slot = await self._turn.__aenter__()
        self._began = perf_counter()
        return slot

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._turn.__aexit__(kind, error, traceback)
        if error is None or isinstance(error, SourceError):
            self._on_end(self._case, error, perf_counter() - self._began)


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
