"""HTTP to the source: one connection pool, no redirects, no proxy, time-outs, and errors of our own tree.

httpx gives the interface, pyreqwest the speed (docs/architecture.md, section 8). Its own time-outs are the ones that
count: httpx would add its four up to one limit for the whole exchange, and a large document has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, cast

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.exceptions import (
    ConnectError,
    DecodeError,
    NetworkError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.request import RequestBuilder

from shared.pdpj.errors import ShortBody, SourceError, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from shared.pdpj.settings import PdpjSettings

USER_AGENT: Final = "autos/1"
_PIECE_BYTES: Final = 64 * 1024  # what the library gathers before it hands out a piece
_IDLE_CONNECTIONS: Final = 256
_IDLE_SECONDS: Final = 50.0  # below the 60 s after which common servers close an idle connection


class _NotReadingAhead(HttpxTransport):
    """Hands an answer out when its head is there.

    As shipped it waits for 64 KiB of the body too, and while it waits a cancellation does not close the connection: a
    source that drips would hold every connection that we give up. In the body a cancellation closes it at once.
    """

    def _map_body(self, builder: RequestBuilder, request: httpx.Request) -> RequestBuilder:
        return super()._map_body(builder, request).streamed_read_buffer_limit(1)


class SourceTransport:
    """Sends requests and turns what goes wrong on the wire into SourceUnavailable, SourceTimeout or ShortBody."""

    def __init__(self, settings: PdpjSettings) -> None:
        read = settings.pdpj_read_timeout
        self._start_seconds = settings.pdpj_connect_timeout + 2 * read  # the answer's head, and the first of its body
        # The library's read time-out begins anew with each byte; this ends a piece that only drips.
        pace = settings.pdpj_min_bytes_per_second
        self._piece_seconds = read + _PIECE_BYTES / pace if pace else None
        client = (
            ClientBuilder()
            .http1_only()  # one lost HTTP/2 connection would take every download with it
            .follow_redirects(False)
            .referer(False)
            .no_proxy()
            .gzip(False)  # httpx decodes, and tells how many bytes came
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .connect_timeout(timedelta(seconds=settings.pdpj_connect_timeout))
            .read_timeout(timedelta(seconds=settings.pdpj_read_timeout))
            .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
            .pool_max_idle_per_host(_IDLE_CONNECTIONS)
            .user_agent(USER_AGENT)
            .build()
        )
        self._client: httpx.AsyncClient | None = httpx.AsyncClient(
            transport=_NotReadingAhead(client),
            timeout=None,  # noqa: S113 - set above, on the transport
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": USER_AGENT},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: a bearer token is all we are
        )

    async def aclose(self) -> None:
        """Close every connection. The library keeps idle ones open until the client itself is gone."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer with its headers; the body is still to be read. Raises SourceUnavailable and SourceTimeout."""
        client = self._client
        if client is None:
            raise RuntimeError("the transport is closed")
        request = client.build_request(method, url, headers=headers, data=form)
        with _wire_errors():
            async with asyncio.timeout(self._start_seconds):
                response = await client.send(request, stream=True)
        del client  # a document that is being read must not keep the pool of a closed transport
        try:
            yield response
        finally:
            await response.aclose()

    async def read_at_most(self, response: httpx.Response, limit: int) -> bytes:
        """The body up to ``limit`` bytes; what is longer is cut there. Raises as the wire does."""
        body = bytearray()
        async with aclosing(self.pieces(response)) as incoming:
            async for piece in incoming:
                body += piece
                if len(body) >= limit:
                    break
        return bytes(body[:limit])

    async def pieces(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body, decoded, as it comes. Raises SourceUnavailable, SourceTimeout, ShortBody and UnexpectedAnswer."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "deflate"):
            raise UnexpectedAnswer("the source answered in an encoding that was not asked for")
        chunks = response.aiter_raw() if encoding in ("identity", "") else response.aiter_bytes()
        # httpx declares iterators; both are generators, which hold the body open until they are closed.
        async with aclosing(cast(AsyncGenerator[bytes, None], chunks)) as iterator:
            while True:
                with _wire_errors():
                    async with asyncio.timeout(self._piece_seconds):
                        piece = await anext(iterator, None)
                if piece is None:
                    return
                yield piece


@contextmanager
def _wire_errors() -> Iterator[None]:
    """Turn the exceptions of the two HTTP libraries into ours."""
    try:
        yield
    except TimeoutError:
        raise SourceTimeout from None
    except (httpx.HTTPError, PyreqwestError) as error:
        raise _translated(error) from error


def _translated(error: httpx.HTTPError | PyreqwestError) -> SourceError:
    """The library reads ahead, so a body that breaks early can fail the sending: the causes tell, not the place."""
    told = _causes(error.__cause__ if isinstance(error, httpx.HTTPError) else error)
    if isinstance(error, httpx.TimeoutException | RequestTimeoutError) or "timed out" in told:
        return SourceTimeout()
    if isinstance(error, httpx.ConnectError | ConnectError):
        return SourceUnavailable("the source cannot be reached")
    if "reset" in told or "broken pipe" in told or "sendrequest" in told:  # the last: no head of an answer came
        return SourceUnavailable("the source broke the connection")
    if isinstance(error, httpx.DecodingError | DecodeError) or "body" in told:
        return ShortBody()
    if isinstance(error, httpx.NetworkError | NetworkError):
        return SourceUnavailable("the source broke the connection")
    return SourceUnavailable("the exchange with the source failed")


def _causes(error: BaseException | None) -> str:
    """What the libraries below say, in lower case; only looked at, never shown."""
    details = getattr(error, "details", None)
    causes = details.get("causes") if isinstance(details, dict) else None
    return " ".join(str(cause.get("message", "")) for cause in causes or ()).lower()
