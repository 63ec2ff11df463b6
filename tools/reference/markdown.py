"""Markdown as the generated pages have it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """A text as one cell: one line, no bar that would end it, code in single backticks."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).replace("|", "\\|").strip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its head; each row has as many cells. Cells are put on one line and bars escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell(one) for one in line)} |\n" if line[0] != "---" else _rule(line) for line in lines
    )


def _rule(line: Sequence[str]) -> str:
    return "|" + "|".join(line) + "|\n"


def prose(docstring: str) -> str:
    """A docstring's first paragraph as Markdown: roles of Sphinx become names."""
    first = re.sub(r"\s+", " ", docstring.strip().partition("\n\n")[0])
    return re.sub(r":\w+:`~?([\w.]+)`", lambda found: f"`{found[1].rpartition('.')[2]}`", first).replace("``", "`")
