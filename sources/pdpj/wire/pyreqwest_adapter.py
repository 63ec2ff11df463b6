"""Everything that leans on pyreqwest's inside: private members, and errors that only their texts tell apart.

httpx gives the interface, pyreqwest the speed. Its transport for httpx waits for 64 KiB of a body before it hands an
answer out, fails on a header that is not ASCII, and says in text alone how an exchange broke; no setting changes that
(docs/adr/0022-private-members-of-libraries.md). The version is checked when this is imported: after an upgrade run
tests/unit/sources/pdpj/wire/test_pyreqwest_adapter.py and tests/integration/sources/test_transport.py, then raise
:data:`CHECKED_VERSION`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Final

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.compatibility.httpx.transport import ResponseStream
from pyreqwest.exceptions import ConnectError, DecodeError, NetworkError, PyreqwestError, RequestTimeoutError
from pyreqwest.http import HeaderMap
from pyreqwest.request import RequestBuilder, StreamRequest
from pyreqwest.response import Response as WireResponse
from pyreqwest.response import ResponseBodyReader

from sources.errors import MalformedAnswer, ShortBody, SourceError, SourceTimeout, SourceUnavailable

CHECKED_VERSION: Final = "0.15"

WIRE_ERRORS: Final = (TimeoutError, httpx.HTTPError, PyreqwestError)
"""What an exchange raises: our own time-outs, and the exceptions of the two HTTP libraries."""

_RESPONSE: Final = "pyreqwest_response"
_PING_SECONDS: Final = 20.0
_IDLE_SECONDS: Final = 50.0  # below the 60 s after which common servers close an idle connection
_MALFORMED: Final = (" parsed", "too large")
"""How hyper's parser ends what it says of a head: "invalid content-length parsed", "message head is too large"."""


def check_version(installed: Callable[[str], str] = version) -> None:
    """Raises ImportError for a release that nobody has tried with what is used here."""
    found = installed("pyreqwest")
    if found.split(".")[:2] != CHECKED_VERSION.split("."):
        raise ImportError(
            f"pyreqwest {found} is installed, and {__name__} is written for {CHECKED_VERSION}: it uses private members."
            " Run tests/unit/sources/pdpj/wire/test_pyreqwest_adapter.py and"
            " tests/integration/sources/test_transport.py, then raise CHECKED_VERSION"
        )


check_version()


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Settings of one pool of connections. Times are seconds; ``idle`` connections are kept for the next request."""

    connect_timeout: float
    read_timeout: float
    idle: int
    http2: bool


def new_pool(settings: PoolSettings) -> HeadFirstTransport:
    """Connections to the source: no redirect, referrer or proxy, and bodies as they stand on the wire."""
    builder = (
        ClientBuilder()
        .follow_redirects(False)
        .referer(False)
        .no_proxy()
        .gzip(False)  # sources.content.decoding decodes, and tells how many bytes came
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .connect_timeout(timedelta(seconds=settings.connect_timeout))
        .read_timeout(timedelta(seconds=settings.read_timeout))
        .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
        .pool_max_idle_per_host(settings.idle)
    )
    if not settings.http2:
        return HeadFirstTransport(builder.http1_only().build())
    # A window that grows with the line, and a ping that finds a connection dead before its downloads time out.
    return HeadFirstTransport(
        builder.http2(True)
        .http2_adaptive_window(True)
        .http2_keep_alive_interval(timedelta(seconds=_PING_SECONDS))
        .http2_keep_alive_timeout(timedelta(seconds=settings.read_timeout))
        .build()
    )


class HeadFirstTransport(HttpxTransport):
    """Hands an answer out when its head is there.

    As shipped it waits for 64 KiB of the body too, and while it waits a cancellation does not close the connection: a
    source that drips would hold every connection that we give up. In the body a cancellation closes it at once.
    """

    async def ask(self, method: str, address: str, headers: list[tuple[str, str]], within: float | None) -> WireAnswer:
        """The answer to a request without a body, for whoever calls this to close; none of httpx's objects is made.

        ``within`` is seconds for the whole exchange. Raises PyreqwestError.
        """
        builder = self._client.request(method, address).headers(headers).streamed_read_buffer_limit(1)
        if within is not None:
            builder = builder.timeout(timedelta(seconds=within))
        request = builder.build_streamed()
        return WireAnswer(request, await request.__aenter__())

    async def _map_response(self, builder: RequestBuilder, request: httpx.Request) -> httpx.Response:
        """As shipped, but for headers that are not ASCII (RFC 9110, section 5.5): they break nothing."""
        stack = AsyncExitStack()
        try:
            response = await stack.enter_async_context(builder.build_streamed())
            return httpx.Response(
                status_code=response.status,
                headers=readable(response.headers),
                stream=ResponseStream(response, stack),
                extensions={_RESPONSE: response},
            )
        except BaseException:
            await stack.aclose()
            raise

    def _map_body(self, builder: RequestBuilder, request: httpx.Request) -> RequestBuilder:
        return super()._map_body(builder, request).streamed_read_buffer_limit(1)


class WireAnswer:
    """An answer whose head is there. ``headers`` have lower-case names; values of one name are joined by a comma."""

    __slots__ = ("_reader", "_request", "headers", "status_code")

    def __init__(self, request: StreamRequest, response: WireResponse) -> None:
        self._request: StreamRequest | None = request
        self._reader = response.body_reader
        self.status_code: int = response.status
        self.headers: Mapping[str, str] = joined(readable(response.headers))

    @property
    def body_reader(self) -> ResponseBodyReader:
        """Reads the body, so many bytes at a time."""
        return self._reader

    async def aclose(self) -> None:
        """Give the connection back, or close it where something of the body is left. May be called again."""
        request, self._request = self._request, None
        if request is not None:
            await request.__aexit__(None, None, None)


Answer = httpx.Response | WireAnswer
"""What a request is answered: a document's is made without httpx, a token's with it."""


def body_reader(response: Answer) -> ResponseBodyReader:
    """What reads the body of an answer of a :class:`HeadFirstTransport`, so many bytes at a time."""
    if isinstance(response, WireAnswer):
        return response.body_reader
    wire: WireResponse = response.extensions[_RESPONSE]
    return wire.body_reader


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By name; what comes more than once is one value with commas (RFC 9110, section 5.2)."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def readable(headers: HeaderMap) -> list[tuple[str, str]]:
    """The headers whose values are ASCII; the library gives no other value, and no way to its bytes."""
    try:
        return list(headers.items())
    except ValueError:
        pass
    kept: list[tuple[str, str]] = []
    for name in dict.fromkeys(headers.keys()):
        with suppress(ValueError):
            kept += [(name, value) for value in headers.getall(name)]
    return kept


def translated(error: TimeoutError | httpx.HTTPError | PyreqwestError) -> SourceError:
    """The error of our own tree for what went wrong on the wire.

    The library reads ahead, so a body that breaks early can fail the sending: the causes tell, not the place.
    """
    if isinstance(error, TimeoutError):
        return SourceTimeout()
    causes = _causes(error.__cause__ if isinstance(error, httpx.HTTPError) else error)
    if isinstance(error, httpx.TimeoutException | RequestTimeoutError) or "timed out" in causes:
        return SourceTimeout()
    if isinstance(error, httpx.ConnectError | ConnectError):
        return SourceUnavailable("the source cannot be reached")
    if "reset" in causes or "broken pipe" in causes:
        return SourceUnavailable("the source broke the connection")
    if "sendrequest" in causes:
        # No head of an answer came; where one came and is no HTTP, the library's parser says what of it is not.
        if any(words in causes for words in _MALFORMED):
            return MalformedAnswer()
        return SourceUnavailable("the source broke the connection")
    if isinstance(error, httpx.DecodingError | DecodeError) or "body" in causes:
        return ShortBody()
    if isinstance(error, httpx.NetworkError | NetworkError):
        return SourceUnavailable("the source broke the connection")
    return SourceUnavailable("the exchange with the source failed")


def _causes(error: BaseException | None) -> str:
    """What the libraries below say, in lower case; only looked at, never shown."""
    details = getattr(error, "details", None)
    causes = details.get("causes") if isinstance(details, dict) else None
    return " ".join(str(cause.get("message", "")) for cause in causes or ()).lower()
