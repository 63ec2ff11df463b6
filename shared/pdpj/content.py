"""Whether what came is a document, and of which type: the answer's word checked against the first bytes. Pure.

:class:`ContentInspector` wants only the beginning of a body. It refuses the portal's shell page and an empty body
(docs/architecture.md, section 9); everything else is a document, at worst ``application/octet-stream``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.pdpj.disposition import content_disposition, file_name, parse_content_disposition
from shared.pdpj.errors import EmptyBody, NotADocument
from shared.pdpj.signatures import as_ascii_text, charset_in, sniff

__all__ = [
    "HEAD_BYTES",
    "Content",
    "ContentInspector",
    "content_disposition",
    "file_name",
    "is_shell_page",
    "parse_content_disposition",
]

HEAD_BYTES: Final = 4096
"""Enough to tell any type."""
_HTML_HEAD_BYTES: Final = 64 * 1024  # a shell page can carry its style sheet before <app-root
_OCTETS: Final = "application/octet-stream"
_SHELL: Final = re.compile(rb"<app-root[\s/>]|\sng-version\s*=")
_MEDIA_TYPE: Final = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100})\s*(?:;(.*))?", re.DOTALL)
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:+-]{1,40})\"?", re.IGNORECASE)
_ALIASES: Final = {
    "application/x-pdf": "application/pdf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/tif": "image/tiff",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "text/rtf": "application/rtf",
    "application/x-zip-compressed": "application/zip",
    "application/x-pkcs7-signature": "application/pkcs7-signature",
}
_SAYS_NOTHING: Final = frozenset(
    {_OCTETS, "binary/octet-stream", "application/binary", "application/force-download", "application/x-download"}
)
# What the bytes show -> what an answer may well call it, being more exact than the bytes can be.
_FINER: Final[dict[str, tuple[str, ...]]] = {
    "application/zip": ("application/vnd.", "application/epub+zip", "application/java-archive", "application/x-zip"),
    "application/x-ole-storage": ("application/msword", "application/vnd.ms-", "application/x-msi"),
    "application/pkcs7-signature": ("application/pkcs7-", "application/x-pkcs7-", "application/cms", "application/p7s"),
    "application/xml": ("text/xml", "image/svg+xml", "application/xhtml+xml", "application/", "text/html"),
    "text/html": ("application/xhtml+xml", "text/plain", "text/xml", "application/xml", "message/"),
    "text/plain": ("text/", "application/json", "application/xml", "message/", "application/javascript"),
    "audio/ogg": ("video/ogg", "application/ogg", "audio/opus"),
    "audio/mpeg": ("audio/", "video/mpeg"),
    "video/mp4": ("audio/mp4", "audio/m4a", "audio/x-m4a", "video/3gpp", "video/quicktime", "audio/aac"),
    "video/webm": ("audio/webm", "video/x-matroska", "audio/x-matroska"),
    "image/tiff": ("image/x-",),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What a body is. ``media_type`` is bare, ``charset`` set for text; ``contradicted`` tells that the answer lied."""

    media_type: str
    charset: str | None
    contradicted: bool

    @property
    def content_type(self) -> str:
        """The value for a Content-Type header."""
        return self.media_type if self.charset is None else f"{self.media_type}; charset={self.charset}"


class ContentInspector:
    """Feed it the body's first pieces until ``enough``, then ask for the ``result``."""

    def __init__(self, declared: str | None) -> None:
        """``declared`` is the Content-Type of the answer."""
        self._declared, self._charset = _split(declared)
        self._head = b""
        self._page: bool | None = None
        """Whether the first bytes may be a page's; None while there are too few of them to tell."""

    @property
    def enough(self) -> bool:
        """Whether more of the body would change nothing."""
        if len(self._head) < HEAD_BYTES:
            return False
        return len(self._head) >= _HTML_HEAD_BYTES or not self._may_be_html()

    def feed(self, piece: bytes) -> None:
        """Give the next piece of the body."""
        self._head += piece[: _HTML_HEAD_BYTES - len(self._head)]

    def result(self) -> Content:
        """What the body is, told from what was fed. Raises EmptyBody and NotADocument."""
        head = self._head
        if not head:
            raise EmptyBody
        if self._may_be_html() and is_shell_page(head):
            raise NotADocument
        seen = sniff(head)
        media_type, contradicted = _agree(self._declared, seen)
        charset = None
        if media_type.startswith("text/"):
            charset = self._charset or charset_in(head)
        return Content(media_type, charset, contradicted)

    def _may_be_html(self) -> bool:
        if self._page is not None:
            return self._page
        seen = sniff(self._head[:HEAD_BYTES])
        page = seen in ("text/html", "application/xml", "text/plain") or (
            seen is None and (self._declared or "").startswith("text/")
        )
        if len(self._head) >= HEAD_BYTES:
            self._page = page
        return page


def is_shell_page(head: bytes) -> bool:
    """Whether these first bytes of a page are those of the portal's single-page application."""
    text = as_ascii_text(head).lower()
    # The plain search first: it is a hundred times faster, and nearly every page ends here.
    return (b"<app-root" in text or b"ng-version" in text) and _SHELL.search(text) is not None


def _split(declared: str | None) -> tuple[str | None, str | None]:
    match = _MEDIA_TYPE.fullmatch(declared[:1000]) if declared is not None else None
    if match is None:
        return None, None
    media_type = match[1].lower()
    charset = _CHARSET.search(match[2] or "")
    return _ALIASES.get(media_type, media_type), charset[1].lower() if charset is not None else None


def _agree(declared: str | None, seen: str | None) -> tuple[str, bool]:
    """The type to believe, and whether the answer said another one."""
    if declared is None or declared in _SAYS_NOTHING:
        return seen or _OCTETS, False
    if seen is None:
        # Types without a signature that is known here are believed; a PDF that does not begin as one is not.
        return (_OCTETS, True) if declared in _KNOWN else (declared, False)
    if declared == seen or declared.startswith(_FINER.get(seen, ("\x00",))):
        return declared, False
    return seen, True


_KNOWN: Final = frozenset(
    {"application/pdf", "image/png", "image/jpeg", "image/gif", "image/tiff", "image/webp", "audio/wav", "audio/ogg"}
    | {"application/rtf", "application/zip", "application/msword", "text/html", "text/plain"}
)
