"""``python -m tools.reference [--check]``: write the generated pages of docs/reference, or compare them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools.reference import error_codes, events, log_messages, metrics, settings, simulator

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings.page,
    "error-codes.md": error_codes.page,
    "events.md": events.page,
    "simulator.md": simulator.page,
    "metrics.md": metrics.page,
    "log-messages.md": log_messages.page,
}
_SHOWN_LINES: Final = 20


def differences(wanted: str, found: str) -> list[str]:
    """Where the committed page begins to differ; nothing when it does not."""
    diff = difflib.unified_diff(found.splitlines(), wanted.splitlines(), "committed", "made", lineterm="", n=0)
    return list(diff)[:_SHOWN_LINES]


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """The command line; the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tools.reference [--check]\n")
        return 2
    wrong = []
    for name, make in PAGES.items():
        path, text = directory / name, make()
        if not arguments:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif found := differences(text, path.read_text(encoding="utf-8") if path.exists() else ""):
            wrong += [f"docs/reference/{name} is out of date: run `make schemas` and commit it", *found]
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
