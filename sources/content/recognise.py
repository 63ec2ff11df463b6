"""Whether what came is a document, and of which type: listing, answer and first bytes weighed together. Pure.

:class:`ContentInspector` wants only the beginning of a body. It refuses an empty body, JSON, and every page that is
known not to be a document (:mod:`sources.content.pages`); everything else is one, at worst
``application/octet-stream``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.domain.media import OCTETS, SAYS_NOTHING, bare, is_text
from shared.http.disposition import content_disposition, file_name, parse_content_disposition
from sources.content.pages import is_shell_page, known_page
from sources.content.signatures import as_ascii_text, charset_in, late_pdf, nearly_text, sniff
from sources.errors import EmptyBody, NotADocument

__all__ = [
    "HEAD_BYTES",
    "Content",
    "ContentInspector",
    "agrees",
    "content_disposition",
    "file_name",
    "is_json",
    "is_json_text",
    "is_shell_page",
    "parse_content_disposition",
]

HEAD_BYTES: Final = 4096
"""Enough to tell any type."""
_HTML_HEAD_BYTES: Final = 64 * 1024  # a shell page can carry its style sheet before <app-root
_PDF: Final = "application/pdf"
_JSON: Final = re.compile(rb"\s*(?:\{\s*(?:\"|\}|$)|\[\s*(?:[\[{\"\]]|$))")
_MEDIA_TYPE: Final = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100})\s*(?:;(.*))?", re.DOTALL)
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:+-]{1,40})\"?", re.IGNORECASE)
# What the bytes show -> what an answer or a listing may well call it, being more exact than the bytes can be.
_FINER: Final[dict[str, tuple[str, ...]]] = {
    "application/zip": ("application/vnd.", "application/epub+zip", "application/java-archive", "application/x-zip"),
    "application/x-ole-storage": ("application/msword", "application/vnd.ms-", "application/x-msi"),
    "application/pkcs7-signature": ("application/pkcs7-", "application/x-pkcs7-", "application/cms", "application/p7s"),
    "application/xml": ("image/svg+xml", "application/xhtml+xml", "application/", "text/html"),
    "text/html": ("application/xhtml+xml", "text/plain", "application/xml", "message/"),
    "text/plain": ("text/", "application/xml", "message/", "application/javascript"),
    "audio/ogg": ("video/ogg", "application/ogg", "audio/opus"),
    "audio/mpeg": ("audio/", "video/mpeg"),
    "audio/aac": ("audio/", "video/mpeg"),
    "video/mp4": ("audio/mp4", "video/3gpp", "video/quicktime", "audio/aac", "video/x-m4v"),
    "video/3gpp": ("audio/3gpp", "video/mp4", "video/3gpp2"),
    "video/quicktime": ("video/mp4", "video/x-m4v"),
    "video/webm": ("audio/webm", "video/x-matroska", "audio/x-matroska"),
    "video/x-matroska": ("audio/x-matroska", "video/webm"),
    "video/x-ms-asf": ("video/x-ms-wmv", "audio/x-ms-wma", "video/x-ms-wm", "application/vnd.ms-asf"),
    "video/mpeg": ("audio/mpeg", "video/"),
    "audio/amr": ("audio/3gpp",),
    "application/gzip": ("application/x-tar", "application/x-compressed", "application/x-tgz"),
    "image/tiff": ("image/x-",),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What a body is. ``media_type`` is bare, ``charset`` set for text; ``contradicted`` tells that the answer lied.

    ``charsets_said``: what header and bytes call the character set; what the bytes obey is for
    :class:`sources.content.charsets.CharsetWatch` to tell.
    """

    media_type: str
    charset: str | None
    contradicted: bool
    charsets_said: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which has a character set."""
        return is_text(self.media_type)

    @property
    def content_type(self) -> str:
        """The value for a Content-Type header."""
        return self.media_type if self.charset is None else f"{self.media_type}; charset={self.charset}"


class ContentInspector:
    """Feed it the body's first pieces until ``enough``, then ask for the ``result``."""

    def __init__(self, declared: str | None, listed: str | None = None) -> None:
        """``declared`` is the Content-Type of the answer, ``listed`` the type in the case's listing."""
        self._declared, self._charset = _split(declared)
        self._listed = bare(listed)
        self.head = b""
        """What was fed, as far as it is looked at."""
        self._page: bool | None = None
        """Whether the first bytes may be a page's; None while there are too few of them to tell."""

    @property
    def enough(self) -> bool:
        """Whether more of the body would change nothing."""
        if len(self.head) < HEAD_BYTES:
            return False
        return len(self.head) >= _HTML_HEAD_BYTES or not self._may_be_page()

    def feed(self, piece: bytes) -> None:
        """Give the next piece of the body."""
        self.head += piece[: _HTML_HEAD_BYTES - len(self.head)]

    def result(self) -> Content:
        """What the body is, told from what was fed. Raises EmptyBody and NotADocument."""
        head = self.head
        if not head or (len(head) < HEAD_BYTES and not head.strip()):
            raise EmptyBody
        if self._may_be_page():
            listed_as_text = self._listed is None or self._listed in SAYS_NOTHING or is_text(self._listed)
            if (page := known_page(head, listed_as_text=listed_as_text)) is not None:
                raise NotADocument(f"the source answered {page.value} in place of the document")
        media_type, contradicted = _agree(self._declared, self._listed, head)
        if not is_text(media_type):
            return Content(media_type, None, contradicted)
        named = charset_in(head)
        return Content(media_type, self._charset or named, contradicted, tuple(filter(None, (self._charset, named))))

    def _may_be_page(self) -> bool:
        if self._page is not None:
            return self._page
        seen = sniff(self.head[:HEAD_BYTES])
        page = seen in ("text/html", "application/xml", "text/plain") or (
            seen is None and (self._declared or "").startswith("text/")
        )
        if len(self.head) >= HEAD_BYTES:
            self._page = page
        return page


def is_json(head: bytes) -> bool:
    """Whether these first bytes are those of a JSON object or array, whatever they are called. RTF is none."""
    return _JSON.match(as_ascii_text(head[:HEAD_BYTES])) is not None


def is_json_text(head: bytes) -> bool:
    """Whether these first bytes are those of a JSON string."""
    return as_ascii_text(head[:HEAD_BYTES]).lstrip()[:1] == b'"'


def agrees(listed: str | None, media_type: str) -> bool:
    """Whether a document of ``media_type`` may be listed as ``listed``."""
    listed = bare(listed)
    if listed is None or listed in SAYS_NOTHING or listed == media_type:
        return True
    if media_type == OCTETS:
        return listed not in _KNOWN  # a type without a signature that is known here
    return listed.startswith(_FINER.get(media_type, ("\x00",))) or media_type.startswith(_FINER.get(listed, ("\x00",)))


def _split(declared: str | None) -> tuple[str | None, str | None]:
    match = _MEDIA_TYPE.fullmatch(declared[:1000]) if declared is not None else None
    if match is None:
        return None, None
    charset = _CHARSET.search(match[2] or "")
    return bare(match[1]), charset[1].lower() if charset is not None else None


def _agree(declared: str | None, listed: str | None, head: bytes) -> tuple[str, bool]:
    """The type to believe, and whether the answer said another one. What the bytes show wins; listing breaks ties."""
    seen = sniff(head)
    stated = [name for name in (declared, listed) if name is not None and name not in SAYS_NOTHING]
    if seen in (None, "text/plain") and _PDF in stated and late_pdf(head, at_a_line=seen is not None):
        seen = _PDF
    if seen is None and stated and is_text(stated[0]) and nearly_text(head):
        seen = "text/plain"
    if seen is None:
        # Types without a signature that is known here are believed; a PDF that does not begin as one is not.
        believed = next((name for name in stated if name not in _KNOWN), OCTETS)
        return believed, bool(stated) and believed != stated[0]
    finer = next((name for name in stated if name == seen or name.startswith(_FINER.get(seen, ("\x00",)))), seen)
    return finer, declared is not None and declared not in SAYS_NOTHING and finer != declared


_KNOWN: Final = frozenset(
    {_PDF, "image/png", "image/jpeg", "image/gif", "image/tiff", "image/webp", "audio/wav", "audio/ogg", "audio/flac"}
    | {"application/rtf", "application/zip", "application/msword", "text/html", "text/plain", "application/xml"}
    | {"application/pkcs7-signature", "video/x-msvideo", "application/x-7z-compressed", "application/vnd.rar"}
)
