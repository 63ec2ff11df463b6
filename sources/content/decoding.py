"""Content codings undone with a bound: what a body grows to is known before it is held. Pure.

The source is asked for documents as they are, and some servers compress them all the same, or call a coding what is
none (``Content-Encoding: UTF-8``). A word that names no coding means nothing; a coding that the bytes do not obey was
not applied.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from sources.content.signatures import sniff
from sources.errors import DocumentTooLarge, ShortBody, UnexpectedAnswer

PIECE_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_CODINGS: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "x-deflate": "deflate"}
_NOT_SPOKEN: Final = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_TELLING_BYTES: Final = 1024
"""Of a body's beginning; so many tell its type, and whether the coding was applied."""
_GROWTH: Final = 100
_FREE_BYTES: Final = 16 * 1024 * 1024
"""A body may grow a hundredfold, and to this size in any case: what grows further is no document but a trap."""


def coding_of(value: str | None) -> str:
    """``gzip``, ``deflate``, a coding that is not spoken here by its name, or nothing for a body that is as it is."""
    named = [part.strip().lower() for part in (value or "").split(",")]
    found = [_CODINGS.get(part, part) for part in named if part in _CODINGS or part in _NOT_SPOKEN]
    return found[0] if len(found) == 1 else ",".join(found)


class Decoder:
    """Undoes one coding, piece by piece. ``coding`` is that of :func:`coding_of`; a first piece tells if it is true."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._undo: zlib._Decompress | None = None
        self._first = b""
        self._started = False
        self._received = 0
        self._given = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What the bytes are, in pieces of at most :data:`PIECE_BYTES`.

        Raises UnexpectedAnswer for a coding that is not spoken or broken, DocumentTooLarge for a body that grows
        beyond measure.
        """
        self._received += len(piece)
        if not self._started:
            self._first += piece
            if len(self._first) < _TELLING_BYTES:
                return
            piece = self._start()
        yield from self._undone(piece)

    def finish(self) -> Iterator[bytes]:
        """What is left. Raises ShortBody when the coding's own end has not come, and as :meth:`feed`."""
        if not self._started:
            if not self._first:
                return
            yield from self._undone(self._start())
        yield from self._undone(b"")
        if self._undo is not None and not self._undo.eof:
            raise ShortBody("the compressed answer ended before its end")

    def _start(self) -> bytes:
        first, self._first, self._started = self._first, b"", True
        self._undo = self._opener(first)
        return first

    def _opener(self, head: bytes) -> zlib._Decompress | None:
        if self._coding == "gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS) if head.startswith(_GZIP) else None
        if self._coding == "deflate":
            # RFC 9110 means zlib's wrapper; many servers send the bare stream.
            wrapped = len(head) > 1 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
            bits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
            try:
                zlib.decompressobj(bits).decompress(head, PIECE_BYTES)
            except zlib.error:
                if sniff(head) is not None:
                    return None
            return zlib.decompressobj(bits)
        if sniff(head) not in (None, "text/plain"):
            return None
        raise UnexpectedAnswer("the source answered in an encoding that was not asked for")

    def _undone(self, piece: bytes) -> Iterator[bytes]:
        if self._undo is None:
            if piece:
                yield piece
            return
        more = True
        if self._undo.eof:
            piece = self._undo.unused_data + piece
            more = self._next_member(piece)
        while more and not self._undo.eof:
            try:
                out = self._undo.decompress(piece, PIECE_BYTES)
            except zlib.error:
                raise UnexpectedAnswer("the source answered in an encoding that was not understood") from None
            self._given += len(out)
            if self._given > _FREE_BYTES and self._given > _GROWTH * self._received:
                raise DocumentTooLarge("the compressed answer grows beyond measure")
            if out:
                yield out
            piece = self._undo.unconsumed_tail
            more = bool(piece) or len(out) == PIECE_BYTES
            # Members may follow each other (RFC 1952, section 2.2); anything else behind the end is padding.
            if self._undo.eof:
                piece = self._undo.unused_data
                more = self._next_member(piece)

    def _next_member(self, rest: bytes) -> bool:
        """Whether another member begins; then it is the one that is undone."""
        if self._coding != "gzip" or not rest.startswith(_GZIP):
            return False
        self._undo = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return True
