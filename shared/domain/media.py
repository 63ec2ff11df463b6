"""Media types: other names of theirs, and the table of file extensions for links, archives and the command. Pure.

A server's word for a type is brought to one spelling first (lower case, no parameters, its registered name);
types that say nothing count as none, and what the bytes are is then found by looking at them (sources/content).
"""

from __future__ import annotations

from typing import Final

OCTETS: Final = "application/octet-stream"

SAYS_NOTHING: Final = frozenset(
    {OCTETS, "binary/octet-stream", "application/binary", "application/force-download", "application/x-download"}
    | {"application/download", "application/unknown", "application/x-binary", "unknown/unknown", "*/*"}
)
"""Types that servers give when they do not know."""

_ALIASES: Final = {
    "application/x-pdf": "application/pdf",
    "application/acrobat": "application/pdf",
    "text/pdf": "application/pdf",
    "image/pdf": "application/pdf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "audio/mp3": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
    "audio/amr-nb": "audio/amr",
    "audio/x-aac": "audio/aac",
    "text/rtf": "application/rtf",
    "application/x-rtf": "application/rtf",
    "text/xml": "application/xml",
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/x-gzip": "application/gzip",
    "application/x-rar-compressed": "application/vnd.rar",
    "application/x-rar": "application/vnd.rar",
    "application/x-pkcs7-signature": "application/pkcs7-signature",
    "application/x-pkcs7-mime": "application/pkcs7-mime",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    "video/wmv": "video/x-ms-wmv",
    "video/x-quicktime": "video/quicktime",
    "video/matroska": "video/x-matroska",
}

EXTENSIONS: Final = {
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "application/zip": ".zip",
    "application/gzip": ".gz",
    "application/x-7z-compressed": ".7z",
    "application/vnd.rar": ".rar",
    "application/x-tar": ".tar",
    "application/x-bzip2": ".bz2",
    "application/x-xz": ".xz",
    "application/xml": ".xml",
    "application/xhtml+xml": ".xhtml",
    "application/json": ".json",
    "application/postscript": ".ps",
    "application/epub+zip": ".epub",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.ms-outlook": ".msg",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/cms": ".p7s",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "message/rfc822": ".eml",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/heic": ".heic",
    "image/avif": ".avif",
    "image/jp2": ".jp2",
    "image/svg+xml": ".svg",
    "image/vnd.dwg": ".dwg",
    "image/vnd.djvu": ".djvu",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/amr": ".amr",
    "audio/amr-wb": ".awb",
    "audio/aiff": ".aiff",
    "audio/basic": ".au",
    "audio/midi": ".mid",
    "audio/webm": ".weba",
    "audio/3gpp": ".3gp",
    "audio/x-ms-wma": ".wma",
    "audio/x-matroska": ".mka",
    "video/mp4": ".mp4",
    "video/x-m4v": ".m4v",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/x-msvideo": ".avi",
    "video/x-ms-wmv": ".wmv",
    "video/x-ms-asf": ".asf",
    "video/x-flv": ".flv",
    "video/mpeg": ".mpg",
    "video/mp2t": ".ts",
    "video/ogg": ".ogv",
    "video/3gpp": ".3gp",
    "video/3gpp2": ".3g2",
}
"""By media type. What is not in it gets no extension."""

ALSO: Final = {
    ".jpg": (".jpeg",),
    ".tif": (".tiff",),
    ".html": (".htm",),
    ".mpg": (".mpeg",),
    ".p7s": (".p7m", ".p7b"),
    ".wmv": (".asf",),
    ".asf": (".wmv", ".wma"),
    ".mp4": (".m4v",),
    ".aiff": (".aif",),
    ".mid": (".midi",),
}
"""Other extensions that a name may have already."""


def bare(media_type: str | None) -> str | None:
    """A media type in lower case, without parameters and by its usual name."""
    kept = (media_type or "").partition(";")[0].strip().lower()
    return _ALIASES.get(kept, kept) or None


def extension_of(content_type: str | None) -> str:
    """``.pdf`` for ``application/pdf``; nothing for a type that has none."""
    return EXTENSIONS.get(bare(content_type) or "", "")


def is_text(media_type: str | None) -> bool:
    """Whether a person would read the bytes as text, markup included."""
    kept = media_type or ""
    return kept.startswith("text/") or kept in {"application/xml", "application/xhtml+xml", "message/rfc822"}
