"""The bytes of one connection: read on demand, a bounded number at a time; none may come between two requests.

asyncio's streams hide what was received and not read. A connection may be used again only when nothing was.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, cast

_READ_BYTES: Final = 8 * 1024
"""At once: what is read in one go is also looked at in one go, and others wait for it."""


class Wire(asyncio.BufferedProtocol):
    """A connection's protocol. It begins paused, so that TLS can begin before anything is read.

    The methods that asyncio calls are named by it; the others are the connection's. Reading pauses once 8 KiB are
    received and not read.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(_READ_BYTES)
        self._received = bytearray()
        self._raw: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._error: Exception | None = None
        self._resting = False
        self._paused = True
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open. Nothing is read yet."""
        self._raw = self._transport = cast("asyncio.Transport", transport)
        self._raw.pause_reading()

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS was begun: ``transport`` is what the request goes through."""
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        """asyncio: where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: bytes have come. Without an open request they end the connection."""
        self._received += memoryview(self._buffer)[:nbytes]
        if self._resting:
            # No request is open: these bytes must not be taken for the answer to the next one.
            self.abort()
            return
        self._changed.set()
        if len(self._received) >= _READ_BYTES and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """asyncio: the other side sends no more."""
        self._ended = True
        self._changed.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone; ``read`` gives what came before, then the error."""
        self._ended = True
        self._error = exc
        self._changed.set()

    def write(self, data: bytes) -> None:
        """Hand over bytes to be sent; see :attr:`unsent`. Raises ConnectionResetError when the connection is closed."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)

    async def read(self) -> bytes:
        """What has arrived, at least a byte; nothing when the other side has closed. Raises OSError."""
        self._resting = False
        while not self._received:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._changed.clear()
            self._resume()
            await self._changed.wait()
        data = bytes(self._received)
        self._received.clear()
        return data

    def rest(self) -> None:
        """Nothing is asked from now on, until the next :meth:`read`: what arrives ends the connection."""
        self._resting = True
        self._resume()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    @property
    def unsent(self) -> int:
        """Bytes handed over that the system has not taken yet."""
        if self._raw is None or self._transport is None:
            return 0
        beneath = 0 if self._raw is self._transport else self._raw.get_write_buffer_size()
        return beneath + self._transport.get_write_buffer_size()

    @property
    def quiet(self) -> bool:
        """Whether it is open and there is nothing to read: neither here, nor in TLS, nor in the system's buffer."""
        if self._raw is None or self._transport is None or self._ended or self._received:
            return False
        if self._paused:
            # The last read filled the buffer; there may be more.
            return False
        if self._transport.is_closing() or self._raw.is_closing():
            return False
        poll = select.poll()
        # The loop may not have looked at the socket since it became readable.
        poll.register(self._raw.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def abort(self) -> None:
        """Close it at once, without waiting."""
        for transport in (self._transport, self._raw):
            if transport is not None:
                transport.abort()
