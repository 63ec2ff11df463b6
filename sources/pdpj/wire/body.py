"""The body of an answer, read in pieces: a small one at once, where its length is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from sources.content.decoding import PIECE_BYTES, Decoder, coding_of
from sources.errors import ShortBody
from sources.pdpj.wire.pyreqwest_adapter import WIRE_ERRORS, Answer, body_reader, translated

SMALL_BYTES: Final = 1024 * 1024
"""A body that is known to be no larger is read in pieces of :data:`SMALL_PIECE_BYTES`."""

SMALL_PIECE_BYTES: Final = 128 * 1024
"""Most documents are one piece then: every piece costs a turn of the event loop. Large ones would hold more memory."""

_LEAST_BYTES: Final = 1024
_FADING: Final = 0.125
"""A body that came fast may become so much slower."""


class AnswerBody:
    """Read it until it gives nothing more; then, or earlier, the response has to be closed: it has the connection.

    ``read_seconds`` and ``bytes_per_second`` (0: any) are the time that a piece may take: the library's read time-out
    begins anew with each byte, so it does not end a piece that only drips. The first piece is as small as that pace
    asks for in ``read_seconds``; the time of the later ones follows from the pace so far.
    """

    def __init__(
        self,
        response: Answer,
        *,
        read_seconds: float,
        bytes_per_second: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        coding = coding_of(response.headers.get("content-encoding"))
        self._promised: Final = _length(response)
        """Bytes on the wire that Content-Length promises."""
        self.length: Final = self._promised if not coding else None
        """Bytes promised where that is the length of what is read here; None when not promised."""
        self.received = 0
        """Bytes given out."""
        small = self._promised is not None and self._promised <= SMALL_BYTES
        self._piece_bytes = SMALL_PIECE_BYTES if small else PIECE_BYTES
        self._read_seconds = read_seconds
        self._bytes_per_second = bytes_per_second
        self._clock = clock
        self._waited = 0.0
        self._on_wire = 0
        self._ended = False
        self._decoder = Decoder(coding) if coding else None
        self._decoded: Iterator[bytes] = iter(())
        self._reader = body_reader(response)

    async def read(self) -> bytes:
        """The next piece; nothing at the end.

        Raises SourceUnavailable, SourceTimeout and ShortBody; of a compressed body UnexpectedAnswer, DocumentTooLarge.
        """
        piece = await self._read_wire() if self._decoder is None else await self._read_decoded(self._decoder)
        self.received += len(piece)
        return piece

    async def _read_decoded(self, decoder: Decoder) -> bytes:
        while True:
            for piece in self._decoded:
                return piece
            if self._ended:
                return b""
            raw = await self._read_wire()
            if raw:
                self._decoded = decoder.feed(raw)
                continue
            self._ended = True
            if self._promised is not None and self._on_wire < self._promised:
                raise ShortBody
            self._decoded = decoder.finish()

    async def _read_wire(self) -> bytes:
        amount = self._piece_bytes
        if self._promised is not None:
            amount = min(amount, self._promised - self._on_wire)
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
        self._on_wire += len(piece)
        return piece

    def _allowed(self, amount: int) -> tuple[int, float | None]:
        """How many bytes to ask for, and the seconds (None: any) that they may take. A read ends when it is full."""
        if not self._bytes_per_second:
            return amount, None
        if self._on_wire == 0:
            amount = min(amount, max(_LEAST_BYTES, int(self._read_seconds * self._bytes_per_second)))
            return amount, self._read_seconds + _LEAST_BYTES / self._bytes_per_second
        pace = max(float(self._bytes_per_second), _FADING * self._on_wire / max(self._waited, 1e-3))
        return amount, self._read_seconds + amount / pace

    async def _next(self, amount: int) -> bytes:
        while (piece := await self._reader.read(amount)) is not None:
            if len(piece) > 0:  # nothing at all would be taken for the end
                return bytes(piece)
        return b""


def _length(response: Answer) -> int | None:
    value = response.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
