"""HTTP to the source: one connection pool, no redirects, no proxy, time-outs, and errors of our own tree.

httpx gives the interface, pyreqwest the speed. Its own time-outs are the ones that
count: httpx would add its four up to one limit for the whole exchange, and a large document has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from sources.pdpj.settings import PdpjSettings
from sources.pdpj.wire.body import AnswerBody
from sources.pdpj.wire.pyreqwest_adapter import (
    WIRE_ERRORS,
    Answer,
    HeadFirstTransport,
    PoolSettings,
    WireAnswer,
    new_pool,
    translated,
)
from sources.pdpj.wire.request_headers import default_user_agent


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port, as the beginning of an address."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


class SourceTransport:
    """Sends requests and turns what goes wrong on the wire into SourceUnavailable, SourceTimeout or ShortBody.

    For one event loop. Time-outs are AUTOS_PDPJ_CONNECT_TIMEOUT and AUTOS_PDPJ_READ_TIMEOUT (for each piece); a
    document has no time limit in all, but must come at AUTOS_PDPJ_MIN_BYTES_PER_SECOND. After ``aclose`` a request
    raises RuntimeError.
    """

    def __init__(self, settings: PdpjSettings) -> None:
        read = settings.pdpj_read_timeout
        self._start_seconds = settings.pdpj_connect_timeout + 2 * read  # the answer's head, and the first of its body
        self._read_seconds = read
        self._bytes_per_second = settings.pdpj_min_bytes_per_second
        self._connect_seconds = settings.pdpj_connect_timeout
        self._http2 = settings.pdpj_http2
        self._idle_connections = settings.pdpj_pool_size
        self._transport: HeadFirstTransport | None = self._new_pool(settings.pdpj_connect_timeout, read)
        self._short_pools: dict[float, HeadFirstTransport] = {}
        """By their read time-out: the library has one for all connections of a pool."""
        self._client: httpx.AsyncClient | None = httpx.AsyncClient(
            transport=self._transport,
            timeout=None,  # noqa: S113 - set above, on the transport
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": default_user_agent()},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none: a bearer token is all we are
        )

    async def aclose(self) -> None:
        """Close every connection. The library keeps idle ones open until the client itself is gone."""
        client, self._client, self._transport = self._client, None, None
        short_pools, self._short_pools = list(self._short_pools.values()), {}
        if client is not None:
            await client.aclose()
        for transport in short_pools:
            await transport.aclose()

    async def ask(
        self,
        method: str,
        origin: str,
        target: str,
        headers: list[tuple[str, str]],
        within: float | None = None,
        read_timeout: float | None = None,
    ) -> WireAnswer:
        """The answer with its head, for whoever calls this to close. Raises SourceUnavailable and SourceTimeout.

        ``origin`` and ``target``, the whole path, are the address: it was put together from checked parts, so it need
        not be parsed character by character for each document. ``within`` is seconds for the whole exchange: the
        library then closes the connection, which a cancellation before the head of the answer does not.
        ``read_timeout`` is a shorter read time-out for this exchange, which closes the connection too: of few different
        values, since each has a pool of connections.

        Straight to the transport: what httpx's client adds (cookies, redirects, log-ins, hooks) is switched off here
        anyway, and took more time than the request.
        """
        transport = self._pool(read_timeout)
        try:
            async with asyncio.timeout(self._start_seconds):
                return await transport.ask(method, origin + target, headers, within)
        except WIRE_ERRORS as error:
            raise translated(error) from error

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """As :meth:`ask`, through httpx's client, with a form; the answer is closed with the block."""
        client = self._client
        if client is None:
            raise RuntimeError("the transport is closed")
        request = client.build_request(method, url, headers=headers, data=form)
        try:
            async with asyncio.timeout(self._start_seconds):
                response = await client.send(request, stream=True)
        except WIRE_ERRORS as error:
            raise translated(error) from error
        del client  # a document that is being read must not keep the pool of a closed transport
        try:
            yield response
        finally:
            await response.aclose()

    async def read_at_most(self, response: Answer, limit: int) -> bytes:
        """The body up to ``limit`` bytes; what is longer is cut there. Raises as the wire does."""
        body = bytearray()
        async with aclosing(self.pieces(response)) as incoming:
            async for piece in incoming:
                body += piece
                if len(body) >= limit:
                    break
        return bytes(body[:limit])

    async def pieces(self, response: Answer) -> AsyncGenerator[bytes, None]:
        """The body, decoded, as it comes. Raises SourceUnavailable, SourceTimeout, ShortBody and UnexpectedAnswer."""
        body = self.body(response)
        while piece := await body.read():
            yield piece

    def body(self, response: Answer, read_timeout: float | None = None) -> AnswerBody:
        """The body of an answer of this transport. Raises UnexpectedAnswer for an encoding that was not asked for.

        ``read_timeout`` as in :meth:`ask`.
        """
        seconds = self._read_seconds if read_timeout is None else min(read_timeout, self._read_seconds)
        return AnswerBody(response, read_seconds=seconds, bytes_per_second=self._bytes_per_second)

    def _pool(self, read_timeout: float | None) -> HeadFirstTransport:
        if self._transport is None:
            raise RuntimeError("the transport is closed")
        if read_timeout is None or read_timeout >= self._read_seconds:
            return self._transport
        pool = self._short_pools.get(read_timeout)
        if pool is None:
            pool = self._short_pools[read_timeout] = self._new_pool(
                min(self._connect_seconds, read_timeout), read_timeout
            )
        return pool

    def _new_pool(self, connect_seconds: float, read_seconds: float) -> HeadFirstTransport:
        return new_pool(PoolSettings(connect_seconds, read_seconds, self._idle_connections, self._http2))
