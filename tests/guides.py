"""The blocks of code in tutorials and guides, and how they are run: as they stand, on a product that is there already.

A block of shell, Python or JavaScript is run unless the line above it says in italics that it is not, and why: the
reader sees that too. A block with a file's name behind its language is that file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[1] / "docs"
FOLDERS: Final = ("tutorial", "guides", "how-to")
RUNNABLE: Final = frozenset({"bash", "sh", "console", "python", "javascript"})
SECONDS: Final = 100
"""How long the blocks of a page may take."""
_FENCE: Final = re.compile(r"^( *)```(\S*)(?: (\S+))?\n(.*?)^\1```$", re.M | re.S)
_EXCUSE: Final = re.compile(r"\*(?:Not run by the tests|Não executado pelos testes) [^\n]*?: ([^\n]+)\*\n\n\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language (none for output and settings), the file it is, and why it is not run."""

    language: str
    file: str
    text: str
    excuse: str | None

    @property
    def is_run(self) -> bool:
        return self.language in RUNNABLE and self.excuse is None


def pages() -> list[Path]:
    """Tutorials and guides, in both languages, and the operator's page."""
    return [*(path for folder in FOLDERS for path in sorted((DOCS / folder).glob("*.md"))), DOCS / "operations.md"]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        excuse = _EXCUSE.search(text[: fence.start()])
        found.append(Block(fence[2], fence[3] or "", fence[4], excuse[1] if excuse else None))
    return found


def start(
    folder: Path, named: Sequence[str], data_dir: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Begin to run the blocks of these pages, one page after the other, in a folder that looks like a checkout.

    ``data_dir`` is a running stack's; the output, errors too, goes to ``folder/output``.
    """
    folder.mkdir(parents=True)
    (folder / ".autos").symlink_to(data_dir)
    (folder / ".venv").symlink_to(sys.prefix)
    script = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for block in (block for name in named for block in blocks(DOCS / f"{name}.md") if block.is_run):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        else:
            script.append(block.text)
    (folder / "page.sh").write_text("\n".join(script), encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if name.lower() not in {"http_proxy", "all_proxy"}}
    path = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            ["bash", "page.sh"],
            cwd=folder,
            env={**inherited, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
