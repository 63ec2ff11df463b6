"""``python -m tools.bench [NAME ...] [--quick] [--rounds N]``: runs benchmarks, prints tables, keeps JSON in
.autos/bench.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from tools.bench import registry, report
from tools.bench.registry import BenchmarkFailed, Plan

_KEPT = Path(".autos") / "bench"


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 1 when a benchmark gave no figure."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all of them, or: {', '.join(registry.MODULES)}")
    parser.add_argument("--list", action="store_true", help="what there is, and run nothing")
    parser.add_argument("--quick", action="store_true", help="a short form of each")
    parser.add_argument("--rounds", type=int, help="rounds of which the median is taken (3, quick: 1)")
    parser.add_argument("--check", action="store_true", help="fail when a count of costs is over its committed budget")
    parser.add_argument("--out", type=Path, help=f"where the JSON goes ({_KEPT}/<time>.json)")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in registry.MODULES]:
        parser.error(f"there is no benchmark {unknown[0]!r}")
    names = chosen.names or registry.MODULES
    if chosen.list:
        for name in names:
            benchmark = registry.find(name)
            print(f"{name}\n  measures: {benchmark.measures}\n  baseline: {benchmark.baseline}")
        return 0
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    started = datetime.now(UTC)
    target = chosen.out or _KEPT / f"{started:%Y%m%dT%H%M%SZ}.json"
    return _run(names, (chosen.quick, rounds, chosen.check), started, target)


def _run(names: tuple[str, ...], how: tuple[bool, int, bool], started: datetime, target: Path) -> int:
    """Run the benchmarks one after the other and write the results after each; the exit status."""
    quick = how[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Any]] = {}
    failures = 0
    with tempfile.TemporaryDirectory(prefix="autos-bench-", dir=target.parent) as work_dir:
        plan = Plan(Path(work_dir).resolve(), _say, *how)
        for name in names:
            benchmark = registry.find(name)
            _say(f"{name}: {benchmark.measures}")
            began = time.monotonic()
            try:
                figures = benchmark.run(plan)
            except BenchmarkFailed as error:
                _say(f"  no figure: {error}")
                results[name] = {"error": str(error)}
                failures += 1
            else:
                results[name] = {
                    "measures": benchmark.measures,
                    "baseline": benchmark.baseline,
                    "seconds": round(time.monotonic() - began, 1),
                    "figures": [figure.as_json() for figure in figures],
                }
                print((benchmark.table or partial(report.table, name, benchmark.baseline))(figures), flush=True)
            # After each, so that an interrupted run keeps what it has.
            target.write_text(json.dumps(report.document(started, quick, results), indent=2) + "\n")
    print(f"kept in {target}")
    return 1 if failures else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A stop that is asked for unwinds as Ctrl-C does, so that the stacks end too.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
