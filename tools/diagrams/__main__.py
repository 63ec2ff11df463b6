"""``python -m tools.diagrams [--check]``: write docs/images/*.svg, or compare them with what is committed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.diagrams.drawings import DRAWINGS

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "images"


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """The command line; the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tools.diagrams [--check]\n")
        return 2
    status = 0
    for name, draw in DRAWINGS.items():
        path, text = directory / name, draw()
        if not arguments:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"docs/images/{name} is out of date: run `make schemas` and commit it\n")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
