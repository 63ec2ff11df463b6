"""What the site makes of links that lead out of docs/, where its pages stand, and how a built site is looked at."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from tools.site import navigation
from tools.site.built import faults
from tools.site.outward import DOCS, ROOT, rewritten

PAGE = DOCS / "guides" / "integrate.md"


def test_a_link_to_a_page_stays_and_one_to_a_file_or_folder_is_named() -> None:
    text = "[a](../reference/limits.md#a-case) [b](../../CHANGELOG.md) [c](../events) ![d](../images/case.png) [e](https://example.com)"
    assert rewritten(text, PAGE) == (
        "[a](../reference/limits.md#a-case) [b](repository:CHANGELOG.md) [c](repository:docs/events)"
        " ![d](../images/case.png) [e](https://example.com)",
        {ROOT / "CHANGELOG.md", DOCS / "events"},
    )


def test_a_link_in_a_block_and_one_that_leads_nowhere_stay() -> None:
    text = "```\n[a](../../CHANGELOG.md)\n```\n[b](../nowhere.py)\n"
    assert rewritten(text, PAGE) == (text, set())


def test_the_folder_of_decisions_is_a_page() -> None:
    assert rewritten("[all](../adr)", PAGE) == ("[all](../explanation/decisions.md)", set())


def test_every_page_stands_in_one_section() -> None:
    found = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    stand = [page for pages in navigation.placed(found).values() for page in pages]
    assert len(stand) == len(set(stand))
    decisions = fnmatch.filter(found, navigation.DECISION_PAGES)
    assert found - set(stand) - set(decisions) == {navigation.HOME}
    assert set(stand) <= found


def test_a_new_guide_is_placed_behind_the_others_and_the_home_lists_all() -> None:
    found = ["index", "how-to/new-one", "adr/0001-a", "explanation/decisions"]
    assert navigation.placed(found)["How to"][-1] == "how-to/new-one"
    assert "/how-to/new-one" in navigation.appended("index", found)
    assert "- [](../adr/0001-a.md)" in navigation.appended("explanation/decisions", found)
    assert navigation.appended("how-to/new-one", found) == ""


def test_a_portuguese_page_says_so() -> None:
    assert navigation.language("guides/integrate.pt-BR") == "pt-BR"
    assert navigation.language("guides/integrate") == "en"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<a href="other.html#there">x</a><a href="https://example.com">x</a><a href="">x</a>', ""),
        ('<a href="gone.html">x</a>', "links to gone.html, which is not there"),
        ('<a href="other.html#gone">x</a>', "links to other.html#gone, which has no such anchor"),
        ('<a href="https://">x</a>', "links to https://, which is no URL"),
        ('<script src="https://cdn.example.com/a.js"></script>', "loads https://cdn.example.com/a.js from elsewhere"),
        ('<link rel="stylesheet" href="//example.com/a.css">', "loads //example.com/a.css from elsewhere"),
        ('<img src="gone.png">', "loads gone.png, which is not there"),
        ('<img src="data:image/gif;base64,x">', ""),
    ],
)
def test_a_built_site_is_looked_at(body: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f"<html><body>{body}</body></html>")
    (tmp_path / "other.html").write_text('<p id="there"></p>')
    assert faults(tmp_path) == ([f"index.html {words}"] if words else [])


def test_a_style_sheet_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text('@import "https://example.com/b.css"; p { background: url(c.png) }')
    assert faults(tmp_path) == ["a.css loads https://example.com/b.css from elsewhere"]
