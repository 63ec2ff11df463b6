"""What bytes are, told from their first ones: the types that courts file, and plain text. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

_PDF_WITHIN: Final = 1024  # ISO 32000 readers look for the header in the first 1,024 bytes
_PDF: Final = "application/pdf"
# The OIDs of PKCS #7 / CMS content (RFC 5652): signed-data, signed-and-enveloped, enveloped, digested, encrypted data.
_PKCS7: Final = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...|\x84....)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07[\x02-\x06]",
    re.DOTALL,
)
_MP4_BRANDS: Final = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4V ": "video/x-m4v",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"avif": "image/avif",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
    b"3gp6": "video/3gpp",
    b"3g2a": "video/3gpp2",
}
_PREFIXES: Final = (
    (b"%PDF-", _PDF),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x00\x0cjP  \r\n", "image/jp2"),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"#!AMR\n", "audio/amr"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b".snd\x00\x00\x00", "audio/basic"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "video/x-ms-asf"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"-----BEGIN PKCS7-----", "application/pkcs7-signature"),
    (b"-----BEGIN CMS-----", "application/pkcs7-signature"),
)
_RIFF: Final = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo", b"WEBP": "image/webp"}
_OFFICE: Final = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_OFFICE_STARTS: Final = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/", b"customXml/")
_MIMETYPE: Final = re.compile(rb"(application/(?:vnd\.oasis\.opendocument\.[a-z-]+|epub\+zip))")
# Atomic and possessive: a hostile run of comments must not make the search try every way to split it.
_HTML: Final = re.compile(
    rb"(?>\s+|<!--.*?-->|<\?xml[^>]*>)*+<(?:!doctype\s+html|html|head|title|body|meta|p|div|table|span|style|center|font|b|h[1-6])"
    rb"[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
_LOOKED_AT: Final = 2048
_CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13, 27}


def sniff(head: bytes) -> str | None:  # noqa: C901 - one line a type
    """The media type of a body that begins with ``head`` (a few kB are enough); None when it cannot be told.

    Only what stands first counts: a %PDF- further on is something inside of something else (see :func:`late_pdf`).
    """
    for prefix, found in _PREFIXES:
        if head.startswith(prefix):
            return found
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] or b"matroska" not in head[:64] else "video/x-matroska"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[4:8] == b"ftyp":
        return _MP4_BRANDS.get(head[8:12], "video/mp4")
    if head[4:8] in (b"moov", b"mdat", b"wide") and head[:1] == b"\x00":
        return "video/quicktime"
    if (
        head[:2] == b"BM"
        and head[6:10] == b"\x00\x00\x00\x00"
        and head[14:18] in (b"\x28\x00\x00\x00", b"\x7c\x00\x00\x00")
    ):
        return "image/bmp"
    if _PKCS7.match(head):
        return "application/pkcs7-signature"
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "video/mp2t"
    if head[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "audio/aac"
    if _is_mpeg_audio(head):
        return "audio/mpeg"
    if head[:_PDF_WITHIN].lstrip(b"\xef\xbb\xbf\x00 \t\r\n\f").startswith(b"%PDF-"):
        return _PDF
    return _text(head)


def late_pdf(head: bytes, *, at_a_line: bool) -> bool:
    """Whether a PDF may begin a little later, behind bytes that are nothing of their own (ISO 32000, annex H).

    ``at_a_line``: only where a line begins, so that a text that speaks of %PDF- is none.
    """
    head = head[:_PDF_WITHIN]
    return re.search(rb"[\r\n]%PDF-[0-9]", head) is not None if at_a_line else b"%PDF-" in head


def nearly_text(head: bytes) -> bool:
    """Whether these are letters with a few control characters in them, as texts of the platform hold (NUL, SUB)."""
    return sum(head[:_LOOKED_AT].count(byte) for byte in _CONTROLS) * 50 <= len(head[:_LOOKED_AT])


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
    """By the name of the first entry: what an entry contains does not count."""
    entry = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if entry == b"mimetype" and (match := _MIMETYPE.match(head, 38)) is not None:
        return match[1].decode("ascii")
    if entry.startswith(_OFFICE_STARTS):
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
    if head and not (_CONTROLS & set(ascii_part[:_LOOKED_AT])):
        return "text/plain"
    return None
