"""Blocks of code in tutorials and guides are run, or say why not; both languages have the same ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.test_guides import RUNS
from tests.guides import DOCS, RUNNABLE, Block, blocks, pages

PAGES = pages()
TRANSLATED = [page for page in PAGES if page.name.endswith(".pt-BR.md")]
_COMMAND = re.compile(r"^(?:\$ |(?:make|autos|docker|kubectl|curl|pip|python3?|git|npm|node|go) )", re.M)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_in_blocks_that_name_their_language(page: Path) -> None:
    for block in blocks(page):
        assert block.language in RUNNABLE or not _COMMAND.search(block.text), block.text


def test_every_page_with_blocks_that_run_is_run() -> None:
    run = {name for one in RUNS for name in one.pages}
    assert {name_of(page) for page in PAGES if any(block.is_run for block in blocks(page))} == run


def test_blocks_that_are_not_run_say_why() -> None:
    excuses = {name_of(page): [block.excuse for block in blocks(page) if block.excuse] for page in PAGES}
    listed = {name: found for name, found in excuses.items() if found}
    # What is listed here needs an engine, a cluster, users at a broker, an account at PDPJ, or has tests of its own.
    assert {name: len(found) for name, found in listed.items()} == {
        "tutorial/first-case": 1,
        "tutorial/first-case.pt-BR": 1,
        "guides/subscribe": 3,
        "how-to/break-it": 3,
        "how-to/connect-to-pdpj": 1,
        "how-to/docker": 2,
        "how-to/kubernetes": 1,
        "how-to/release": 2,
        "how-to/secure": 3,
        "how-to/traces": 1,
        "operations": 3,
    }


@pytest.mark.parametrize("page", TRANSLATED, ids=name_of)
def test_a_translation_has_the_blocks_and_headings_of_its_original(page: Path) -> None:
    original = page.with_name(page.name.replace(".pt-BR", ""))

    def shape(of: Path) -> list[tuple[str, bool, int]]:
        return [(block.language, block.is_run, _commands(block)) for block in blocks(of)]

    def levels(of: Path) -> list[int]:
        return [
            len(marks)
            for marks in re.findall(r"^(#+) ", re.sub(r"^```.*?^```", "", of.read_text(), flags=re.M | re.S), re.M)
        ]

    assert shape(page) == shape(original)
    assert levels(page) == levels(original)


def _commands(block: Block) -> int:
    """How many lines a block of shell has; programs may differ."""
    return block.text.count("\n") if block.language == "bash" else 0


def test_a_block_is_read_with_its_excuse(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "*Not run by the tests of this page: no cluster.*\n\n```bash\nmake up\n```\n\n```python a.py\nx\n```\n"
    )
    assert blocks(page) == [Block("bash", "", "make up\n", "no cluster."), Block("python", "a.py", "x\n", None)]
