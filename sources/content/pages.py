"""Pages that come with a 200 in place of a document or a case: shell, firewall, log-in, maintenance, error. Pure.

What a page is made of (a script's address, a password field) tells for certain. Words alone tell less: a decision may
speak of maintenance. So words count in a title, a heading or a short page; and more of them count where the listing
says that the document is no text at all.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from sources.content.linear_pattern import folded_markup
from sources.content.page_words import LIKELY, MADE_OF, SHELL, SURE, TITLES, KnownPage
from sources.content.signatures import as_ascii_text

__all__ = ["is_shell_page", "known_page"]

_MARKUP_BYTES: Final = 64 * 1024
_WORDS_BYTES: Final = 16 * 1024
_SHORT: Final = 3000
"""Letters that a person would read on a page of which the words count."""
_NOTICE: Final = 400
"""Letters of a plain text that can be a server's error."""
_TITLE: Final = re.compile(r"<(title|h1|h2)\b[^>]{0,200}>(.{0,300}?)</\1", re.DOTALL)
_HIDDEN: Final = re.compile(r"<(script|style|noscript|head)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.DOTALL)
_ACCENTS: Final = re.compile(r"&([a-z])(?:acute|grave|tilde|circ|cedil|uml);", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]{0,2000}>")

_Words = tuple[tuple[KnownPage, re.Pattern[str]], ...]


def is_shell_page(head: bytes) -> bool:
    """Whether these first bytes of a page are those of the portal's single-page application."""
    return SHELL.is_in(folded_markup(as_ascii_text(head)))


def known_page(head: bytes, *, listed_as_text: bool = True) -> KnownPage | None:
    """What a text that begins with ``head`` is, when it is no document; ``listed_as_text``: a text was expected."""
    markup = folded_markup(as_ascii_text(head))
    if SHELL.is_in(markup):
        return KnownPage.SHELL
    if "<" in markup:
        made = next((page for page, pattern in MADE_OF if pattern.is_in(markup[:_MARKUP_BYTES])), None)
        if made is not None:
            return made
    if len(head) > _WORDS_BYTES:
        return None
    source = _folded(head)
    shown = _shown(_HIDDEN.sub(" ", source))
    if len(shown) > _SHORT:
        return None
    titles = (_shown(match[2]) for match in _TITLE.finditer(source))
    found = next((page for title in titles if (page := _said(TITLES, title)) is not None), None)
    found = found or _said(SURE, shown)
    if found is None and not listed_as_text and ("<" in source or len(shown) <= _NOTICE):
        # Nothing that a person could read is no document either.
        found = _said(LIKELY, shown) or (KnownPage.SHELL if not shown else None)
    return found


def _said(words: _Words, where: str) -> KnownPage | None:
    return next((page for page, pattern in words if pattern.search(where) is not None), None)


def _shown(source: str) -> str:
    """What a person would read."""
    return " ".join(html.unescape(_TAG.sub(" ", source)).split())


def _folded(head: bytes) -> str:
    """Without accents and case. Bytes that are no UTF-8 are read as Latin-1."""
    plain = as_ascii_text(head)
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        text = plain.decode("latin-1")
    text = _ACCENTS.sub(r"\1", text)
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text)
    # By the few accents that there are, and not letter by letter.
    for accent in filter(unicodedata.combining, set(folded)):
        folded = folded.replace(accent, "")
    return folded.casefold()
