"""The bytes of documents: real magic bytes, reproducible, never held.

A body is a short head and tail of its own around slices of one shared block, so serving it copies nothing and a body of
300 MB costs no more memory than one of 3 kB. Head and tail carry the ids, so no two filings have the same SHA-256,
unless they are cut: a PDF of 200 bytes ends before its id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from autos.local.pdpj.model import ContentKind, FiledDocument
from autos.local.pdpj.oddities import OddityKind
from shared.domain.cnj import ProcessNumber

SEGMENT_BYTES: Final = 256 * 1024
_BLOCK_BYTES: Final = 1024 * 1024

Segment = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Body:
    """``head``, then ``padding`` bytes of the repeated block, then ``tail``."""

    head: bytes
    padding: int
    tail: bytes
    block: memoryview

    def __len__(self) -> int:
        return len(self.head) + self.padding + len(self.tail)

    def segments(self, limit: int | None = None, size: int = SEGMENT_BYTES) -> Iterator[Segment]:
        """The bytes in order, at most ``size`` at a time, ending after ``limit`` bytes if one is given."""
        left = len(self) if limit is None else min(limit, len(self))
        for piece in self._pieces(size):
            if left <= 0:
                return
            yield piece if len(piece) <= left else piece[:left]
            left -= len(piece)

    def _pieces(self, size: int) -> Iterator[Segment]:
        yield from (self.head[at : at + size] for at in range(0, len(self.head), size))
        offset = 0
        left = self.padding
        while left > 0:
            piece = self.block[offset : offset + min(size, left)]
            yield piece
            left -= len(piece)
            offset = (offset + len(piece)) % len(self.block)
        if self.tail:
            yield self.tail

    def sha256(self) -> str:
        """Hexadecimal. Takes about a second for 300 MB and lets other threads run."""
        digest = hashlib.sha256()
        for segment in self.segments(size=_BLOCK_BYTES):
            digest.update(segment)
        return digest.hexdigest()


_PDF_END = b"%%EOF\n"
_SMALLEST_PDF = 16
"""Bytes; below it there is no room for a beginning and an end."""


class BodyFactory:
    """Makes the bodies of documents. Holds the shared block (1 MiB of base64 text, the same on every machine)."""

    def __init__(self) -> None:
        noise = hashlib.shake_256(b"autos pdpj simulator").digest(_BLOCK_BYTES * 3 // 4)
        self._block = memoryview(base64.b64encode(noise))

    def body(self, number: ProcessNumber, document: FiledDocument) -> Body:
        """The content (``/binario``) of a document, exactly ``document.size`` bytes."""
        label = f"{number} {document.filing_id}" + (f" {document.version}" if document.version else "")
        head, tail = _frame(document, label)
        padding = document.size - len(head) - len(tail)
        if padding < 0:  # too small for the whole frame: its first bytes, which still tell the type
            end = _PDF_END if document.kind is ContentKind.PDF and document.size >= _SMALLEST_PDF else b""
            return Body((head + tail)[: document.size - len(end)] + end, 0, b"", self._block)
        return Body(head, padding, tail, self._block)


def text_of(number: ProcessNumber, document: FiledDocument) -> str:
    """The text (``/texto``) of a document."""
    text = f"{document.type_name}\n\nTexto da decisão nos autos {number}, documento {document.filing_id}.\n"
    if OddityKind.TEXT_WITH_CONTROLS in document.oddities:
        text = text.replace(" nos autos", " nos\x00 autos\x1a")
    return text


def _frame(document: FiledDocument, label: str) -> tuple[bytes, bytes]:
    """What a body begins and ends with."""
    match document.kind:
        case ContentKind.PDF:
            return _pdf(label, document.size)
        case ContentKind.HTML:
            return _html(label, document.type_name, "utf-8", "utf-8")
        case ContentKind.HTML_LATIN1:
            return _html(label, document.type_name, "iso-8859-1", "iso-8859-1")
        case ContentKind.HTML_TURNED:
            head, tail = _html(label, document.type_name, "iso-8859-1", "utf-8")
            return b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + head, tail
        case ContentKind.JPEG:
            return _jpeg(label)
        case ContentKind.PNG:
            return _png(label)
        case ContentKind.MP4:
            return _mp4(label, document.size)
        case ContentKind.P7S:
            return _p7s(label, document.size)


def _pdf(label: str, size: int) -> tuple[bytes, bytes]:
    """A PDF of one page that readers open; the padding is a stream that the page does not use."""
    text = f"BT /F1 12 Tf 56 780 Td (Processo {label}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
    ]
    head = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(head))
        head += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    offsets.append(len(head))
    opening = b"6 0 obj\n<< /Length %010d >>\nstream\n"
    head_length = len(head) + len(opening % 0)
    closing = b"\nendstream\nendobj\n"
    table = b"xref\n0 7\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    trailer = b"trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n%010d\n%%%%EOF\n"
    tail_length = len(closing) + len(table) + len(trailer % 0)
    padding = max(0, size - head_length - tail_length)
    return head + opening % padding, closing + table + trailer % (head_length + padding + len(closing))


def _html(label: str, title: str, says: str, charset: str) -> tuple[bytes, bytes]:
    """HTML in ``charset`` that says of itself that it is in ``says``."""
    text = (
        f'<!DOCTYPE html>\n<html lang="pt-BR"><head><meta charset="{says}"><title>{title}</title></head>'
        f"<body><p>Decisão nos autos {label}: não há prazo em curso.</p>\n<!--"
    )
    return text.encode(charset), b"--></body></html>\n"


def _jpeg(label: str) -> tuple[bytes, bytes]:
    comment = label.encode()
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    return start + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment, b"\xff\xd9"


def _png(label: str) -> tuple[bytes, bytes]:
    """One grey pixel; decoders stop at IEND, so the padding follows it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", binascii.crc32(name + content))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    head += chunk(b"tEXt", b"Comment\x00" + label.encode())
    head += chunk(b"IDAT", zlib.compress(b"\x00\x80", 0)) + chunk(b"IEND", b"")
    return head, b""


def _mp4(label: str, size: int) -> tuple[bytes, bytes]:
    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content) + 8) + name + content

    head = box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2mp41") + box(b"free", label.encode())
    rest = max(16, size - len(head))
    return head + struct.pack(">I4sQ", 1, b"mdat", rest), b""


_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
_DATA: Final = bytes.fromhex("06092a864886f70d010701")
_SHA256: Final = bytes.fromhex("300d06096086480165030402010500")


def _p7s(label: str, size: int) -> tuple[bytes, bytes]:
    """CMS SignedData (RFC 5652) that holds a PDF and has no signer: whole in form, and signed by nobody."""
    tail = b"\x31\x00"  # signerInfos
    version, algorithms = b"\x02\x01\x01", _der(0x31, len(_SHA256)) + _SHA256

    def frame(inner: int) -> bytes:
        content = _DATA + _wrapped(0xA0, _der(0x04, inner), inner)
        signed = version + algorithms + _wrapped(0x30, content, inner)
        rest = inner + len(tail)
        return _wrapped(0x30, _SIGNED_DATA + _wrapped(0xA0, _wrapped(0x30, signed, rest), rest), rest)

    inner = max(0, size - len(frame(0)) - len(tail))
    pdf_head, pdf_tail = _pdf(label, inner)
    return frame(max(inner, len(pdf_head) + len(pdf_tail))) + pdf_head, pdf_tail + tail


def _wrapped(tag: int, beginning: bytes, rest: int) -> bytes:
    """A tag around ``beginning`` and the ``rest`` bytes that follow it."""
    return _der(tag, len(beginning) + rest) + beginning


def _der(tag: int, length: int) -> bytes:
    """A tag and its length, always in four bytes after the first (DER wants the shortest; readers take both)."""
    return bytes([tag, 0x84]) + length.to_bytes(4, "big")
