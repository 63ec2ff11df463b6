"""What bytes are, told from their first ones: the types that courts file, and plain text. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

_PDF_WITHIN: Final = 1024  # ISO 32000 readers look for the header in the first 1,024 bytes
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d0107")  # OID 1.2.840.113549.1.7: PKCS #7 (RFC 2315)
_MP4_BRANDS: Final = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"heic": "image/heic", b"avif": "image/avif"}
_PREFIXES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x1f\x8b", "application/gzip"),
    (b"-----BEGIN PKCS7-----", "application/pkcs7-signature"),
    (b"-----BEGIN CMS-----", "application/pkcs7-signature"),
)
_RIFF: Final = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo", b"WEBP": "image/webp"}
_OFFICE: Final = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_ODF: Final = re.compile(rb"mimetype(application/vnd\.oasis\.opendocument\.[a-z-]+)")
# Atomic and possessive: a hostile run of comments must not make the search try every way to split it.
_HTML: Final = re.compile(
    rb"(?>\s+|<!--.*?-->|<\?xml[^>]*>)*+<(?:!doctype\s+html|html|head|title|body|meta|p|div|table|span|style|center|font|b|h[1-6])"
    rb"[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
_CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13, 27}


def sniff(head: bytes) -> str | None:
    """The media type of a body that begins with ``head`` (a few kB are enough); None when it cannot be told."""
    for prefix, found in _PREFIXES:
        if head.startswith(prefix):
            return found
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "application/pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _MP4_BRANDS.get(head[8:12], "video/mp4")
    if head[:1] == b"\x30" and _SIGNED_DATA in head[:32]:
        return "application/pkcs7-signature"
    if _is_mpeg_audio(head):
        return "audio/mpeg"
    return _text(head)


def charset_in(head: bytes) -> str | None:
    """The character set that the bytes themselves name: a byte order mark, an XML declaration or an HTML meta."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return name
    match = re.search(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._:-]{1,40})", head[:1024])
    match = match or re.search(rb"<meta[^>]{0,200}charset=[\"']?\s*([A-Za-z0-9._:-]{1,40})", head[:4096], re.IGNORECASE)
    return match[1].decode("ascii").lower() if match is not None else None


def as_ascii_text(head: bytes) -> bytes:
    """The bytes with UTF-16 folded to its ASCII part, so that tags can be looked for."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[2:].replace(b"\x00", b"")
    return head.removeprefix(codecs.BOM_UTF8)


def _zip(head: bytes) -> str:
    match = _ODF.search(head[:200])
    if match is not None:
        return match[1].decode("ascii")
    for folder, found in _OFFICE:
        if folder in head:
            return found
    return "application/zip"


def _is_mpeg_audio(head: bytes) -> bool:
    """A frame header (ISO 11172-3) of layer III or II with a bit rate and a sampling rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer in (1, 2) and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _text(head: bytes) -> str | None:
    ascii_part = as_ascii_text(head)
    if _HTML.match(ascii_part):
        return "text/html"
    start = ascii_part.lstrip()
    if start.startswith(b"<?xml"):
        # XHTML declares XML first; its root can stand after long comments.
        return "text/html" if re.search(rb"<html[\s>]", start[:2048], re.IGNORECASE) else "application/xml"
    if head and not (_CONTROLS & set(ascii_part[:2048])):
        return "text/plain"
    return None
