"""What a benchmark is, and the list of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench.figures import Figure

MODULES: Final = (
    "pipeline",
    "projection_rate",
    "outbox",
    "consumer_runtime",
    "first_requests",
    "scaling",
    "scale_out",
    "fairness",
    "backlog",
    "memory",
    "webhooks",
    "feed",
    "isolation",
    "api_reads",
    "access_log",
    "streams",
    "peer",
    "costs",
    "growth",
)
"""In the order in which they run; a module's name is its benchmark's."""


class BenchmarkFailed(Exception):
    """What was to be measured did not come about (a job failed, a time-out): there is no figure then."""


@dataclass(frozen=True)
class Plan:
    """How much is done, and where its data may be."""

    work_dir: Path
    say: Callable[[str], None]
    quick: bool = False
    rounds: int = 3
    check: bool = False
    """Whether a count over its committed budget gives no figure but a failure."""

    def size(self, full: int, quick: int) -> int:
        """``full``, or ``quick`` in the short form."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Benchmark:
    """One question about the product's speed. ``baseline`` says what the figures are compared with in the same run."""

    name: str
    measures: str
    baseline: str
    run: Callable[[Plan], list[Figure]]
    table: Callable[[Sequence[Figure]], str] | None = None
    """How its figures are shown, where a line for each would be too many."""


def find(name: str) -> Benchmark:
    """The benchmark of this name, loaded now. Raises KeyError for a name that is none."""
    if name not in MODULES:
        raise KeyError(name)
    found: Benchmark = importlib.import_module(f"tools.bench.{name}").BENCHMARK
    return found
