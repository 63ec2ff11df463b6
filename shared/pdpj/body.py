"""The body of an answer, read in pieces: a small one at once, where its length is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from time import monotonic
from typing import Final, cast

import httpx
from pyreqwest.response import Response as WireResponse

from shared.pdpj.errors import UnexpectedAnswer
from shared.pdpj.wire import WIRE_ERRORS, translated

PIECE_BYTES: Final = 64 * 1024
"""The most that is read at once."""

SMALL_BYTES: Final = 1024 * 1024
"""A body that is known to be no larger is read in pieces of :data:`SMALL_PIECE_BYTES`."""

SMALL_PIECE_BYTES: Final = 128 * 1024
"""Most documents are one piece then: every piece costs a turn of the event loop. Large ones would hold more memory."""

_LEAST_BYTES: Final = 1024
_FADING: Final = 0.125
"""A body that came fast may become so much slower."""


class Body:
    """Read it until it gives nothing more; then, or earlier, the response has to be closed.

    ``read_seconds`` and ``bytes_per_second`` (0: any) are the time that a piece may take: the library's read time-out
    begins anew with each byte, so it does not end a piece that only drips. The first piece is as small as that pace
    asks for in ``read_seconds``; the time of the later ones follows from the pace so far.
    """

    def __init__(
        self,
        response: httpx.Response,
        *,
        read_seconds: float,
        bytes_per_second: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Raises UnexpectedAnswer for an encoding that was not asked for."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "deflate"):
            raise UnexpectedAnswer("the source answered in an encoding that was not asked for")
        self.length: Final = _length(response) if encoding in ("identity", "") else None
        """Bytes promised by Content-Length, where that is the length of what is read here; None when not promised."""
        self.received = 0
        small = self.length is not None and self.length <= SMALL_BYTES
        self._piece_bytes = SMALL_PIECE_BYTES if small else PIECE_BYTES
        self._read_seconds = read_seconds
        self._bytes_per_second = bytes_per_second
        self._clock = clock
        self._waited = 0.0
        self._decoded: AsyncGenerator[bytes, None] | None = None
        if encoding in ("gzip", "deflate"):
            # httpx declares an iterator; it is a generator.
            self._decoded = cast(AsyncGenerator[bytes, None], response.aiter_bytes())
        else:
            wire: WireResponse = response.extensions["pyreqwest_response"]
            self._reader = wire.body_reader

    async def read(self) -> bytes:
        """The next piece; nothing at the end. Raises SourceUnavailable, SourceTimeout and ShortBody."""
        amount = PIECE_BYTES
        if self.length is not None:
            amount = min(self._piece_bytes, self.length - self.received)
            if amount <= 0:
                return b""
        amount, seconds = self._allowed(amount)
        began = self._clock()
        try:
            async with asyncio.timeout(seconds):
                piece = await self._next(amount)
        except WIRE_ERRORS as error:
            raise translated(error) from error
        self._waited += self._clock() - began
        self.received += len(piece)
        return piece

    def _allowed(self, amount: int) -> tuple[int, float | None]:
        """How many bytes to ask for, and the seconds (None: any) that they may take. A read ends when it is full."""
        if not self._bytes_per_second:
            return amount, None
        if self.received == 0:
            amount = min(amount, max(_LEAST_BYTES, int(self._read_seconds * self._bytes_per_second)))
            return amount, self._read_seconds + _LEAST_BYTES / self._bytes_per_second
        pace = max(float(self._bytes_per_second), _FADING * self.received / max(self._waited, 1e-3))
        return amount, self._read_seconds + amount / pace

    async def _next(self, amount: int) -> bytes:
        if self._decoded is not None:
            return await anext(self._decoded, b"")
        while (piece := await self._reader.read(amount)) is not None:
            if len(piece) > 0:  # nothing at all would be taken for the end
                return bytes(piece)
        return b""

    async def aclose(self) -> None:
        """End the decoding; the connection is the response's."""
        if self._decoded is not None:
            await self._decoded.aclose()


def _length(response: httpx.Response) -> int | None:
    value = response.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
