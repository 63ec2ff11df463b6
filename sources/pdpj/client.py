"""The two APIs of PDPJ as sources: the portal or the data lake, chosen by AUTOS_PDPJ_API.

Every method raises only errors of :mod:`sources.errors` (and lets cancellation through: the deadline for metadata
is the caller's ``asyncio.timeout``). With a gate, each request waits for its turn and reports how the source is.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, aclosing, closing
from typing import Final

from shared.domain import cnj
from shared.domain.case import Case
from sources.base import CourtSource, RequestEnded
from sources.errors import (
    ProcessNotFound,
    SourceAway,
    SourceError,
    SourceServerError,
    SourceUnavailable,
)
from sources.gate.gate import SourceGate
from sources.pdpj.answers import AskedFor
from sources.pdpj.auth.credentials import Credentials
from sources.pdpj.http_source import CONTENT, HttpSource
from sources.pdpj.parse.elements import finds_nothing
from sources.pdpj.settings import Api, PdpjSettings
from sources.pdpj.wire.received import Received
from sources.pdpj.wire.transport import SourceTransport
from sources.pdpj.wire.version import version_in

_log = logging.getLogger(__name__)

# 401 too: without a body it may say that the token is bad or that we have no standing. The case will tell; a token
# renewed or refused on this word alone could end in a locked account.
_NO_VERSION: Final = frozenset({204, 401, 404, 405, 501})


class PortalSource(HttpSource):
    """The portal, ``{base}/api/v2``. It has no change detection."""

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        """See CourtSource. One request."""
        number = cnj.parse(number)
        with closing(await self.metadata(f"/processos/{number}", read_timeout)) as body:
            return _log_unaddressed(await self.reader.read(number, [body]))

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        """None: the portal has nothing of the kind."""
        return None


class DataLakeSource(HttpSource):
    """The data lake, ``{base}/processo-api/api/v1``: two requests a case, and a HEAD that tells of changes."""

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        """See CourtSource. Two requests as a rule; a search when the first answers 500 (is the case there at all?), and
        the list of documents once more when it alone is away.

        When the list cannot be read, the case has the documents that the case's own answer names.
        """
        number = cnj.parse(number)
        with ExitStack() as held:
            try:
                body = held.enter_context(closing(await self.metadata(f"/processos/{number}", read_timeout)))
            except SourceServerError:
                # The lake answers 500 for a case that it does not have; a search says whether it has it.
                if await self._has_not(number, read_timeout):
                    raise ProcessNotFound from None
                raise
            try:
                listed = await self._list_of(number, read_timeout)
            except SourceUnavailable:
                case = await self.reader.read(number, [body, None])
                if not case.documents:  # then the list is all that could tell
                    raise
                return _log_unaddressed(case)
            if listed is not None:
                held.enter_context(closing(listed))
            return _log_unaddressed(await self.reader.read(number, [body, listed]))

    async def _list_of(self, number: str, read_timeout: float | None) -> Received | None:
        """The list of documents; None when there is none to be read. The case lists documents too.

        Raises SourceAway; where the list alone is away, at the second try.
        """
        path = f"/processos/{number}/documentos"
        try:
            try:
                return await self.metadata(path, read_timeout)
            except SourceUnavailable:
                return await self.metadata(path, read_timeout)
        except SourceAway:
            raise
        except SourceError as error:
            _log.info(
                "A case's list of documents could not be read; the documents that the case itself lists are taken",
                extra={"code": error.code},
            )
            return None

    async def _has_not(self, number: str, read_timeout: float | None) -> bool:
        """Whether the search by its number finds nothing. What is no answer says nothing."""
        try:
            with closing(await self.metadata(f"/processos?numeroProcesso={number}", read_timeout)) as page:
                return finds_nothing(page.head)
        except ProcessNotFound:
            return True
        except SourceError:
            return False

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        """See CourtSource. None too for a case that is absent or whose answer is a 401: reading the case
        tells which.
        """
        number = cnj.parse(number)
        path = f"/processos/{number}/ultima-atualizacao"
        async with self.admission(number, about_case=True):
            token = await self.credentials.token()
            async with aclosing(await self.send("HEAD", path, CONTENT, token, within=within)) as response:
                if response.status_code in _NO_VERSION:
                    return None
                if response.status_code != 200:
                    raise await self.refused(response, AskedFor.CASE)
                return version_in(response.headers, self.view)


def _ignore_end(case: str, error: SourceError | None, seconds: float) -> None:
    """Nobody listens."""


def build_source(
    settings: PdpjSettings,
    *,
    credentials: Credentials,
    limiter: SourceGate | None = None,
    on_end: RequestEnded = _ignore_end,
) -> CourtSource:
    """The source that the settings choose. It owns the credentials from here on: ``aclose`` closes them too.

    With ``limiter`` every request takes its own slot, so the caller takes none. Without it nothing is limited.
    ``on_end`` is called at the end of each request (sources/base.py).
    """
    transport = SourceTransport(settings)
    made = PortalSource if settings.pdpj_api is Api.PORTAL else DataLakeSource
    return made(root_of(settings), transport, credentials, settings, limiter, on_end)


def root_of(settings: PdpjSettings) -> str:
    """The address that the paths of the chosen API are below."""
    below = "/api/v2" if settings.pdpj_api is Api.PORTAL else "/processo-api/api/v1"
    return f"{settings.pdpj_base_url}{below}"


def _log_unaddressed(case: Case) -> Case:
    if case.unaddressed:
        _log.warning(
            "A case lists documents without an address; they are left out", extra={"documents": case.unaddressed}
        )
    return case
