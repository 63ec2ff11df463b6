"""What the site adds to Sphinx: sections, languages, and pages for files and folders that other pages link to.

A page of docs/ may link to a file outside of it, to source, or to a folder, as GitHub shows them. In the site such a
link leads to a page below ``files/`` that shows the file, or lists the folder.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from docutils import nodes

from tools.site import navigation
from tools.site.outward import ROOT, SCHEME, rewritten

_HIGHLIGHTED_BYTES: Final = 200_000
"""A larger file is shown without colours: they take seconds."""
_LEXERS: Final = {
    ".py": "python",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".mjs": "javascript",
    ".js": "javascript",
}


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx. Every page is read by one process and in each build (``python -m tools.site``)."""
    app.autos_linked = set()
    app.connect("source-read", _source_read)
    app.connect("doctree-resolved", _resolve)
    app.connect("html-page-context", _page_context)
    app.connect("html-collect-pages", _pages)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}


def _source_read(app: Any, page: str, content: list[str]) -> None:
    path = Path(app.env.doc2path(page))
    text, linked = rewritten(content[0], path)
    app.autos_linked |= linked
    content[0] = navigation.prepended(page) + text + navigation.appended(page, app.env.found_docs)


def _resolve(app: Any, doctree: nodes.document, page: str) -> None:
    for reference in doctree.findall(nodes.reference):
        address = reference.get("refuri", "")
        if address.startswith(SCHEME):
            named, _, anchor = unquote(address.removeprefix(SCHEME)).partition("#")
            reference["refuri"] = app.builder.get_relative_uri(page, _name(ROOT / named)) + (
                f"#{anchor}" if anchor else ""
            )
            reference["classes"] = ["repository"]


def _page_context(app: Any, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    context["language"] = navigation.language(page)


def _name(path: Path) -> str:
    """The name of the page that shows a file or folder."""
    named = path.relative_to(ROOT).as_posix()
    return f"files/{named}/index" if path.is_dir() else f"files/{named}"


def _pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for every file and folder that is linked. What a folder holds is copied beside its page as it is."""
    waiting, made = sorted(app.autos_linked), set()
    while waiting:
        path = waiting.pop()
        if path in made:
            continue
        made.add(path)
        title = path.relative_to(ROOT).as_posix()
        if path.is_dir():
            inner = sorted(one for one in path.iterdir() if not one.name.startswith((".", "__pycache__")))
            waiting.extend(one for one in inner if one.is_dir())
            body = _listing(app, path, inner)
        else:
            body = _shown(app, path)
        yield _name(path), {"title": title, "body": f"<h1>{html.escape(title)}</h1>{body}", "parents": []}, "page.html"


def _listing(app: Any, folder: Path, inner: list[Path]) -> str:
    target = Path(app.outdir, _name(folder)).parent
    target.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in inner:
        address = f"{one.name}/index.html" if one.is_dir() else one.name
        if one.is_file():
            shutil.copyfile(one, target / one.name)
        lines.append(f'<li><a href="{address}">{html.escape(one.name)}{"/" if one.is_dir() else ""}</a></li>')
    return f"<ul>{''.join(lines)}</ul>"


def _shown(app: Any, path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if len(text) > _HIGHLIGHTED_BYTES:
        return f'<div class="highlight"><pre>{html.escape(text)}</pre></div>'
    shown: str = app.builder.highlighter.highlight_block(text, _LEXERS.get(path.suffix, "text"))
    return shown
