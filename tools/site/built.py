"""Looks at a built site: what its pages load from elsewhere, and links, anchors and pictures that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADING: Final = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
"""Tags by which a browser loads something unasked, and the attribute that says what. An ``a`` is followed by people."""
_STYLE_URL: Final = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
_ELSEWHERE: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.I)


@dataclass
class Page(HTMLParser):
    """The ids, links and loaded resources of one page."""

    ids: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if tag in _LOADING and given.get(_LOADING[tag]):
            self.loaded.add(given[_LOADING[tag]])


def read(site: Path) -> dict[Path, Page]:
    """Every page of the site by its path."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        found[path] = page
    return found


def faults(site: Path) -> list[str]:
    """What is wrong with the site, a sentence each; nothing when all is well."""
    pages = read(site)
    wrong = [f"{_named(path, site)} {fault}" for path, page in pages.items() for fault in _of(path, page, pages)]
    for style in sorted(site.rglob("*.css")):
        for address in (one or other for one, other in _STYLE_URL.findall(style.read_text(encoding="utf-8"))):
            if _ELSEWHERE.match(address):
                wrong.append(f"{_named(style, site)} loads {address} from elsewhere")
    return wrong


def _of(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for address in sorted(page.loaded):
        if _ELSEWHERE.match(address):
            yield f"loads {address} from elsewhere"
        elif not address.startswith("data:") and not _target(path, address).is_file():
            yield f"loads {address}, which is not there"
    for address in sorted(page.links):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            if parts.scheme in ("http", "https") and not parts.hostname:
                yield f"links to {address}, which is no URL"
            continue
        target = _target(path, address)
        if not target.is_file():
            yield f"links to {address}, which is not there"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            yield f"links to {address}, which has no such anchor"


def _target(path: Path, address: str) -> Path:
    """The file that a relative address means."""
    named = unquote(urlsplit(address).path)
    target = (path.parent / named).resolve() if named else path
    return target / "index.html" if target.is_dir() else target


def _named(path: Path, site: Path) -> str:
    return path.relative_to(site).as_posix()
