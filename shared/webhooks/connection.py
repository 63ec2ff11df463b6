"""One HTTP/1.1 connection to an address that was checked: dialled, TLS, one request at a time, kept for the next.

The protocol is h11's (RFC 9112), the transport asyncio's, and there is nothing between: no proxy from the
environment, no redirects, no decompression, and the address dialled is the one that was given.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import h11

from shared.webhooks.addresses import Address
from shared.webhooks.guard import CheckedUrl

_READ_SIZE: Final = 16 * 1024
_CONNECT_SECONDS: Final = 5.0
_MAX_HEADERS: Final = 32 * 1024


class ConnectionStale(Exception):
    """A kept connection was closed by the other side before it answered anything: dial again."""


class AnswerBroken(Exception):
    """The other side closed early or did not speak HTTP/1.1."""


@dataclass(slots=True)
class Timings:
    """How long each part took, in seconds; None for a part that there was none of."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None


@dataclass(slots=True)
class Answer:
    """What came back so far; readable also after a time-out cut the rest."""

    status_code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False


class Connection:
    """An open connection. Make one with :func:`open_connection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADERS)
        self.address = address
        self.used = False

    async def exchange(
        self,
        url: CheckedUrl,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        answer: Answer,
        timings: Timings,
        *,
        max_body: int,
    ) -> bool:
        """Send a POST and read the answer into ``answer``, at most ``max_body`` bytes of its body.

        Returns whether the connection can be used again. Raises ConnectionStale, AnswerBroken, OSError.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        reused, self.used = self.used, True
        request = h11.Request(
            method="POST",
            target=url.target,
            headers=[("host", url.authority), *headers, ("content-length", str(len(body)))],
        )
        http = self._http
        try:
            self._writer.write((http.send(request) or b"") + (http.send(h11.Data(data=body)) or b""))
            http.send(h11.EndOfMessage())
            # Not drained: a receiver may answer before it has read everything (413, 401), and that is its answer.
            return await self._read(answer, timings, started, max_body)
        except h11.RemoteProtocolError as error:
            if reused and timings.first_byte is None:
                raise ConnectionStale from error
            raise AnswerBroken("the answer is not HTTP/1.1, or it ended early") from error
        except (ConnectionError, ssl.SSLError) as error:
            if reused and timings.first_byte is None:
                raise ConnectionStale from error
            raise AnswerBroken("the connection was lost") from error

    async def _read(self, answer: Answer, timings: Timings, started: float, max_body: int) -> bool:
        http, loop = self._http, asyncio.get_running_loop()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                received = await self._reader.read(_READ_SIZE)
                if received and timings.first_byte is None:
                    timings.first_byte = loop.time() - started
                http.receive_data(received)
            elif isinstance(event, h11.Response):
                answer.status_code = event.status_code
                answer.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                answer.body += event.data[: max_body - len(answer.body)]
                if len(answer.body) >= max_body:
                    answer.complete = True
                    return False
            elif isinstance(event, h11.EndOfMessage):
                answer.complete = True
                unsent = self._writer.transport.get_write_buffer_size()
                if unsent == 0 and http.our_state is h11.DONE and http.their_state is h11.DONE:
                    http.start_next_cycle()
                    return True
                return False
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("closed")

    @property
    def alive(self) -> bool:
        """Whether the other side has not closed it, as far as is known."""
        return not (self._writer.is_closing() or self._reader.at_eof() or self._reader.exception())

    def close(self) -> None:
        """Let go of it at once; nothing is waited for."""
        transport = self._writer.transport
        transport.abort()


async def open_connection(
    url: CheckedUrl, addresses: Sequence[Address], context: ssl.SSLContext, timings: Timings
) -> Connection:
    """Dial the addresses in their order, each with a share of the time, and do TLS with the URL's name.

    Raises OSError (ssl.SSLError among them) of the last address, and TimeoutError.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS if len(addresses) > 1 else None):
                reader, writer = await asyncio.open_connection(str(address), url.port, limit=_READ_SIZE)
        except TimeoutError as error:
            failure = error
            continue
        except OSError as error:
            failure = error
            continue
        timings.connect = loop.time() - started
        if url.scheme == "https":
            started = loop.time()
            try:
                await writer.start_tls(context, server_hostname=url.host)
            except ConnectionError as error:
                # Some servers end a handshake that they do not like without a word.
                writer.transport.abort()
                raise ssl.SSLError("the connection was lost in the handshake") from error
            except BaseException:
                writer.transport.abort()
                raise
            timings.tls = loop.time() - started
        return Connection(reader, writer, address)
    raise failure


def client_context(cafile: str | None = None) -> ssl.SSLContext:
    """Certificates and names verified, TLS 1.2 at least, HTTP/1.1 only. ``cafile`` replaces the system's roots."""
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
