"""Finds the links of a page that lead out of docs/, or to what is no page. Pure, but for looking at files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
SCHEME: Final = "repository:"
_PICTURES: Final = {".png", ".svg", ".jpg", ".gif"}
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]+)?(?=\))")
_BLOCK: Final = re.compile(r"^( *)```.*?^\1```", re.M | re.S)
_FOLDERS: Final = {DOCS / "adr": DOCS / "explanation/decisions.md"}
"""Folders whose pages are listed by a page."""


def rewritten(text: str, page: Path) -> tuple[str, set[Path]]:
    """The page's text with such links written as ``repository:PATH``, and the files and folders that they lead to.

    A link to what is not there stays as it is: the build fails by it.
    """
    linked: set[Path] = set()

    def named(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / found[1]))
        if target in _FOLDERS:
            return Path(os.path.relpath(_FOLDERS[target], page.parent)).as_posix()
        if not target.exists() or not target.is_relative_to(ROOT) or target.suffix in _PICTURES:
            return found[0]
        if target.suffix == ".md" and target.is_relative_to(DOCS):
            return found[0]
        linked.add(target)
        # A text file that is shown has no headings to lead to.
        return f"{SCHEME}{target.relative_to(ROOT).as_posix()}"

    parts, at = [], 0
    for block in _BLOCK.finditer(text):
        parts += [_LINK.sub(named, text[at : block.start()]), block[0]]
        at = block.end()
    return "".join((*parts, _LINK.sub(named, text[at:]))), linked
