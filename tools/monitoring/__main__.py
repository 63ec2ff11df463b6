"""``python -m tools.monitoring [--check | --rehearsal FILE]``: write deploy/monitoring, or compare it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.monitoring import dashboards, rules, schema
from tools.reference.__main__ import differences

DIRECTORY: Final = Path(__file__).parents[2] / "deploy" / "monitoring"


def files() -> dict[str, str]:
    """Every generated file, by its path in the directory."""
    return {"rules.yml": rules.text(), **{f"dashboards/{name}": text for name, text in dashboards.texts().items()}}


def problems(directory: Path) -> list[str]:
    """A line for each file that is not what the code says, and for each fault of a dashboard."""
    found = []
    for name, text in files().items():
        path = directory / name
        if lines := differences(text, path.read_text(encoding="utf-8") if path.exists() else ""):
            found += [f"deploy/monitoring/{name} is out of date: run `make schemas` and commit it", *lines]
    for one in dashboards.DASHBOARDS:
        found += [f"{one.name}: {fault}" for fault in schema.faults(dashboards.dashboard(one))]
    return found


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """The command line; the exit status."""
    match list(arguments):
        case []:
            for name, text in files().items():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                (directory / name).write_text(text, encoding="utf-8", newline="\n")
            return 0
        case ["--check"]:
            found = problems(directory)
            sys.stderr.write("".join(f"{line}\n" for line in found))
            return 1 if found else 0
        case ["--rehearsal", path]:
            Path(path).write_text(rules.text(rehearsal=True), encoding="utf-8", newline="\n")
            return 0
        case _:
            sys.stderr.write("usage: python -m tools.monitoring [--check | --rehearsal FILE]\n")
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
