"""The files of the page as they are served: bytes, type and entity tag, under one address for each version of them all.

An address has the digest of every file in it (``page/4f2a…/app.js``), and modules name each other relatively, so a
browser never runs a new module with an old one, and keeps what it has for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_TYPES: Final[Mapping[str, str]] = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
"""What is served, by ending; licences and other files are not."""
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True)
class PageFile:
    """One file of the page."""

    content: bytes
    media_type: str


class PageFiles:
    """Every file of the page, read once. ``index`` is the document, with the addresses of the others in it."""

    def __init__(self, directory: Traversable | None = None) -> None:
        root = directory if directory is not None else files("services.api.page").joinpath("assets")
        self._files = dict(_served(root, ""))
        template = root.joinpath("index.html").read_text(encoding="utf-8")
        digest = hashlib.sha256(template.encode())
        for path, file in sorted(self._files.items()):
            digest.update(path.encode() + b"\0" + file.content + b"\0")
        self.version = digest.hexdigest()[:_DIGEST_LENGTH]
        """Of all files together."""
        self._template = template.replace("{base}", f"page/{self.version}/")

    def index(self, head: str = "") -> str:
        """The document, with ``head`` (HTML) in its head."""
        return self._template.replace("<!--head-->", head)

    def get(self, path: str) -> PageFile | None:
        """The file at this path below the page's address; None: there is none."""
        return self._files.get(path)

    def paths(self) -> frozenset[str]:
        """Where the files are."""
        return frozenset(self._files)


def _served(directory: Traversable, prefix: str) -> list[tuple[str, PageFile]]:
    found: list[tuple[str, PageFile]] = []
    for entry in directory.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _served(entry, f"{path}/")
        elif (media_type := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            found.append((path, PageFile(entry.read_bytes(), media_type)))
    return found
