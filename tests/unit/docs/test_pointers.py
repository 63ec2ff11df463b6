"""Every pointer leads somewhere: from code to a page and its heading, between pages, to files and to make targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE_ENDINGS = {".py", ".yaml", ".yml", ".toml", ".in", ".html"}
CODE_NAMES = {"Makefile", "Dockerfile"}
TOPS = ("services", "shared", "tests", "docs", "deploy", "requirements", "examples")

_PAGE = re.compile(r"docs/[\w./-]+")
_QUOTED = re.compile(r',? "([^"]+)"')
_UNQUOTED = re.compile(r", (?:sections? \d|[^\")(.;:]{1,40}\))")
_BARE_SECTION = re.compile(r"(?<![\w.])(?:sections?) \d[\d.]*")
_STANDARD = re.compile(r"(?:RFC \d+|APPNOTE\.TXT|WHATWG \w+|W3C Trace Context|binding [\d.]+),? $")
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([\w-]+))?\)")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
_PATH = re.compile(r"`([a-z][\w-]*/[\w./-]*)`")


def files() -> Iterator[Path]:
    """The files of the repository, without what tools have made."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file():
            yield path
        elif not path.name.startswith(".") and path.name not in ("build", "dist", "htmlcov"):
            yield from (
                inner for inner in sorted(path.rglob("*")) if inner.is_file() and "__pycache__" not in inner.parts
            )


def code() -> list[Path]:
    found = [path for path in files() if path.suffix in CODE_ENDINGS or path.name in CODE_NAMES]
    return [path for path in found if path != Path(__file__) and "docs" not in path.relative_to(ROOT).parts[:1]]


PAGES = [path for path in files() if path.suffix == ".md"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def headings(path: Path) -> frozenset[str]:
    """The headings of a page, in lower case and without marks."""
    text = _FENCE.sub("", path.read_text())
    return frozenset(re.sub(r"[`*]", "", found).strip().lower() for found in re.findall(r"^#+ (.+)$", text, re.M))


def anchors(path: Path) -> frozenset[str]:
    return frozenset(re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings(path))


def page(cited: str) -> Path | None:
    """The page that a citation means: a file, a folder, or a decision by its number (docs/adr/0004)."""
    cited = cited.rstrip("./")
    path = ROOT / cited
    if path.exists():
        return path
    numbered = list((ROOT / "docs/adr").glob(f"{path.name}-*.md"))
    return numbered[0] if re.fullmatch(r"docs/adr/\d{4}", cited) and numbered else None


def broken_citations(text: str) -> list[str]:
    """What is wrong with the pages and headings that a source file cites."""
    # Comments and docstrings are wrapped: a citation may go on in the next line.
    text = re.sub(r"\s*\n\s*(?:# )?", " ", text)
    wrong = []
    for found in _PAGE.finditer(text):
        before = text[max(0, found.start() - 1) : found.start()]
        if (
            before in ("/", "-", "_")
            or before.isalnum()
            or found[0].startswith("docs/any")
            or "{" in text[found.end() :][:1]
        ):
            continue
        target = page(found[0])
        if target is None:
            wrong.append(f"{found[0]}: no such page")
        elif quoted := _QUOTED.match(text, found.end()):
            if quoted[1].lower() not in headings(target):
                wrong.append(f'{found[0]}: no heading "{quoted[1]}"')
        elif found[0].endswith(".md") and (vague := _UNQUOTED.match(text, found.end())):
            wrong.append(f'{found[0]}{vague[0]}: name a heading, in quotes, as in docs/page.md, "Heading"')
    for found in _BARE_SECTION.finditer(text):
        if not _STANDARD.search(text[: found.start()]):
            wrong.append(f"{text[max(0, found.start() - 40) : found.end()]}: a section of what?")
    return wrong


def test_a_citation_is_read() -> None:
    assert broken_citations('(docs/architecture.md, "States")') == []
    assert broken_citations("(docs/adr/0004; RFC 9110, section 5.1)") == []
    assert broken_citations('see docs/reference/limits.md,\n    "a connection to the API"') == []
    assert broken_citations('(docs/architecture.md, "Nowhere")') != []
    assert broken_citations("(docs/architecture.md, section 9, answers)") != []
    assert broken_citations("(docs/architecture.md, consumer runtime)") != []
    assert broken_citations("# (docs/nowhere.md)") != []
    assert broken_citations("the table in section 9") != []


def test_code_cites_pages_and_headings_that_exist() -> None:
    wrong = {name_of(path): found for path in code() if (found := broken_citations(path.read_text()))}
    assert wrong == {}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(path: Path) -> None:
    for target, anchor in _LINK.findall(_FENCE.sub("", path.read_text())):
        linked = (path.parent / target) if target else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_to_elsewhere_are_urls(path: Path) -> None:
    for link in re.findall(r"\]\((https?:[^)\s]*)\)", _FENCE.sub("", path.read_text())):
        assert re.fullmatch(r"https?://[\w.-]+\.\w+(?::\d+)?(?:[/?#][^\s<>\"]*)?", link), link


# What the changelog says of an old version stands.
@pytest.mark.parametrize("path", [one for one in PAGES if one.stem != "CHANGELOG"], ids=name_of)
def test_files_that_a_page_names_exist(path: Path) -> None:
    for named in _PATH.findall(_FENCE.sub("", path.read_text())):
        if re.match(r"tests/[\w-]+$", named):
            continue  # another repository's, where a fact was found
        # What a run makes (build/) is not there before it.
        if named.partition("/")[0] in {top.name for top in ROOT.iterdir() if top.is_dir()} - {"build"} | set(TOPS):
            assert (ROOT / named).exists(), named


@pytest.mark.parametrize("path", [one for one in PAGES if one.stem != "CHANGELOG"], ids=name_of)
def test_make_targets_that_a_page_names_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = re.findall(r"(?:`|^\$ |^)make ((?:[a-z]+-)?[a-z]+)(?=[`\s])", path.read_text(), re.M)
    assert set(named) <= targets


def test_decisions_have_numbers_of_their_own() -> None:
    pages = sorted((ROOT / "docs/adr").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    # A number may be missing: a decision that is still worked on has it already.
    assert numbers[0] == 1 and len(set(numbers)) == len(numbers)
    for page in pages:
        assert page.read_text().startswith(f"# {int(page.name[:4])}. "), page.name
