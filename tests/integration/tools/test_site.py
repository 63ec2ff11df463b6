"""`make docs`: the documentation builds into a site that needs nothing from elsewhere, and a broken page fails it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="needs the packages of requirements/docs.txt (make docs)")

from tools.site.outward import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once, with every way to the network cut off by a proxy that nobody listens at."""
    target = tmp_path_factory.mktemp("site") / "docs"
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    ended = subprocess.run(
        [sys.executable, "-m", "tools.site", str(target)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(target.parent), **nowhere},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return target


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    loading = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=["'](?:https?:)?//[^>]*>""")
    found = {path.name: loading.findall(path.read_text()) for path in site.rglob("*.html")}
    assert len(found) > 80 and {name: tags for name, tags in found.items() if tags} == {}
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", styles)
    assert (site / "tutorial" / "first-webhook.html").is_file() and (
        site / "adr" / "0001-what-an-adr-is.html"
    ).is_file()


def test_portuguese_pages_say_their_language(site: Path) -> None:
    assert '<html class="no-js" lang="pt-BR"' in (site / "tutorial" / "first-case.pt-BR.html").read_text()
    assert '<html class="no-js" lang="en"' in (site / "tutorial" / "first-case.html").read_text()


def test_the_search_has_its_index_and_asks_nobody(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    found = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", index, re.S)[1])  # type: ignore[index]
    assert "tutorial/first-case.pt-BR" in found["docnames"] and "webhook" in found["terms"]
    assert 'src="searchindex.js"' in (site / "search.html").read_text()


def test_a_file_that_a_page_links_to_is_shown(site: Path) -> None:
    assert "WebhookVerificationError" in (site / "files/docs/examples/webhook_receiver.py.html").read_text()
    assert '<a href="asyncapi.yaml">' in (site / "files/docs/events/index.html").read_text()
    assert (site / "files/docs/events/asyncapi.yaml").read_text() == (ROOT / "docs/events/asyncapi.yaml").read_text()


def test_a_broken_link_anchor_or_picture_fails_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text(
        "# Home\n\n[a](gone.md) [b](other.md#gone) [c](../gone.py)\n\n![d](gone.png)\n", encoding="utf-8"
    )
    (pages / "other.md").write_text("# Other\n\n[home](index.md#home)\n", encoding="utf-8")
    program = (
        "import pathlib, sys; from tools.site.__main__ import build; sys.exit(build(*map(pathlib.Path, sys.argv[1:])))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(pages), str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ended.returncode == 1
    for words in ("'gone.md'", "'gone'", "'../gone.py'", "gone.png", "other.md: WARNING: document isn't included"):
        assert words in ended.stderr, ended.stderr
