"""One HTTP/1.1 connection to a checked address: dialled, secured, one request at a time, kept for the next.

The protocol is h11's (RFC 9112), the transport asyncio's, and there is nothing between: no proxy from the
environment, no redirects, no decompression, and the address dialled is the one that was given.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import h11

from shared.http.addresses import Address
from shared.http.answer import (
    MAX_ANSWER_BYTES,
    MAX_HEAD_BYTES,
    AnswerBroken,
    AnswerReader,
    CallPhase,
    ReadStep,
    ReceiverAnswer,
)
from shared.http.guard import CheckedUrl
from shared.http.wire import Wire

_CONNECT_SECONDS: Final = 5.0
"""For one address of several."""
_MAX_DIALLED: Final = 8
"""Addresses of one name that are tried in one attempt."""


class ConnectionStale(Exception):
    """A kept connection was closed by the other side before it answered anything: dial again."""


@dataclass(slots=True)
class Timings:
    """How long each part took, in seconds; None for a part that did not happen."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None


class Connection:
    """An open connection to one address. Make one with :func:`open_connection`. One request at a time."""

    def __init__(self, wire: Wire, address: Address) -> None:
        self._wire = wire
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.address = address
        self.used = False

    async def exchange(
        self,
        url: CheckedUrl,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        answer: ReceiverAnswer,
        timings: Timings,
        *,
        max_body: int = MAX_ANSWER_BYTES,
    ) -> bool:
        """Send a POST and read the answer into ``answer``, at most ``max_body`` bytes of its body.

        Returns whether the connection can be used again. There is no time-out here: the caller cancels, and
        ``answer.phase`` then says what was not done.

        Raises:
            ConnectionStale: a kept connection was closed before it answered anything; nothing was handled, dial again.
            AnswerBroken: the answer is not HTTP/1.1, passes a bound, or the connection was lost.
            OSError: the connection failed in another way.
        """
        reused, self.used = self.used, True
        request = h11.Request(
            method="POST",
            target=url.target,
            headers=[("host", url.authority), *headers, ("content-length", str(len(body)))],
        )
        http = self._http
        answer.phase = CallPhase.HEAD
        try:
            self._wire.write((http.send(request) or b"") + (http.send(h11.Data(data=body)) or b""))
            http.send(h11.EndOfMessage())
            # Not waited for: a receiver may answer before it has read everything (413, 401), and that is its answer.
            return await self._read(AnswerReader(http, answer, max_body=max_body), timings)
        except asyncio.CancelledError:
            if answer.status_code is None and self._wire.unsent:
                answer.phase = CallPhase.SEND
            raise
        except (AnswerBroken, ConnectionError, ssl.SSLError) as error:
            if reused and timings.first_byte is None:
                raise ConnectionStale from error
            if isinstance(error, AnswerBroken):
                raise
            raise AnswerBroken("the connection was lost") from error

    async def _read(self, reader: AnswerReader, timings: Timings) -> bool:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            step = reader.step()
            if step is ReadStep.READ:
                received = await self._wire.read()
                if received and timings.first_byte is None:
                    timings.first_byte = loop.time() - started
                reader.feed(received)
            elif step is ReadStep.YIELD:
                await asyncio.sleep(0)
            else:
                return step is ReadStep.ENDED and self._can_be_used_again()

    def _can_be_used_again(self) -> bool:
        """Whether request and answer are over on both sides, and nothing lies behind the answer."""
        http = self._http
        if self._wire.unsent or http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return False
        if http.trailing_data[0] or not self._wire.quiet:
            return False
        http.start_next_cycle()
        self._wire.rest()
        return True

    @property
    def alive(self) -> bool:
        """Whether the other side has neither closed it nor sent anything since its last answer."""
        return self._wire.quiet

    def close(self) -> None:
        """Close it at once, without waiting."""
        self._wire.abort()


async def open_connection(
    url: CheckedUrl, addresses: Sequence[Address], context: ssl.SSLContext, answer: ReceiverAnswer, timings: Timings
) -> Connection:
    """Dial the addresses in their order and do TLS with the URL's name.

    At most 8 addresses are tried; where there are several, each has 5 seconds. Only the connection is tried on the next
    address: a TLS handshake that fails ends the attempt.

    Raises OSError (ssl.SSLError among them) of the last address, TimeoutError included.
    """
    loop = asyncio.get_running_loop()
    answer.phase = CallPhase.CONNECT
    started = loop.time()
    failure: OSError = OSError("no address")
    for address in addresses[:_MAX_DIALLED]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS if len(addresses) > 1 else None):
                transport, wire = await loop.create_connection(Wire, str(address), url.port)
        except OSError as error:
            failure = error
            continue
        timings.connect = loop.time() - started
        if url.scheme == "https":
            answer.phase = CallPhase.TLS
            started = loop.time()
            await _secure(transport, wire, url.host, context)
            timings.tls = loop.time() - started
        return Connection(wire, address)
    raise failure


async def _secure(transport: asyncio.Transport, wire: Wire, name: str, context: ssl.SSLContext) -> None:
    """TLS on an open connection, verified with the name. Raises ssl.SSLError."""
    try:
        secured = await asyncio.get_running_loop().start_tls(transport, wire, context, server_hostname=name)
    except ConnectionError as error:
        # Some servers close the connection when they refuse a handshake.
        transport.abort()
        raise ssl.SSLError("the connection was lost in the handshake") from error
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ssl.SSLError("the connection was lost in the handshake")
    wire.secured(secured)


def client_context(cafile: str | None = None, *, besides: Path | None = None) -> ssl.SSLContext:
    """Certificates and names verified, TLS 1.2 at least, HTTP/1.1 only.

    ``cafile`` replaces the system's roots, ``besides`` adds to them; with neither the context is the process's own
    one, which nobody changes. Raises ssl.SSLError or OSError for a file that holds no certificates or cannot be read.
    """
    return _system_context() if cafile is None and besides is None else _context(cafile, besides)


@cache
def _system_context() -> ssl.SSLContext:
    # Reading the system's 140 roots takes 15 ms.
    return _context(None, None)


def _context(cafile: str | None, besides: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cafile)
    if besides is not None:
        context.load_verify_locations(cafile=besides)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
