"""Documents a second with one, two and four downloader processes against a slow source."""

from __future__ import annotations

import asyncio

from autos.local.pdpj.control import SourceSetting
from tools.bench.delivery import Run, deliver, make_cases
from tools.bench.figures import Figure
from tools.bench.product import at_once, case_numbers, running_product
from tools.bench.registry import Benchmark, Plan

_WORKERS = (1, 2, 4)
_LATENCY_SECONDS = 0.1
_AT_ONCE = 4
"""Of one worker: few, so that the source's latency is the limit and not this machine."""
_SIZE = 100_000
_SETTINGS = at_once(_AT_ONCE, _AT_ONCE * max(_WORKERS))


def _run(plan: Plan) -> list[Figure]:
    rounds: dict[int, list[Run]] = {workers: [] for workers in _WORKERS}
    for _ in range(plan.rounds):
        for workers in _WORKERS:
            rounds[workers].append(_measure(plan, workers))
            plan.say(f"  {workers} downloaders: {rounds[workers][-1].documents_per_second:.0f}/s")
    alone = tuple(run.documents_per_second for run in rounds[1])
    return [
        Figure(
            f"{workers} downloader{'s' if workers > 1 else ''}",
            "documents/s",
            tuple(run.documents_per_second for run in rounds[workers]),
            alone,
            f"{workers} × one",
        )
        for workers in _WORKERS
    ]


def _measure(plan: Plan, workers: int) -> Run:
    cases, documents = 20, plan.size(30 * workers, 8 * workers)
    with running_product(plan, _SETTINGS, f"downloader={workers}") as product:
        product.simulator.configure_source(SourceSetting(latency=_LATENCY_SECONDS))
        warm_up = case_numbers(8 * workers)
        make_cases(product, warm_up, 2, _SIZE)
        asyncio.run(deliver(product, warm_up, 2))
        numbers = case_numbers(cases)
        make_cases(product, numbers, documents, _SIZE)
        return asyncio.run(deliver(product, numbers, documents))


BENCHMARK = Benchmark(
    name="scaling",
    measures="1, 2 and 4 downloader processes, each with 4 documents at once, source latency 100 ms",
    baseline="one downloader process",
    run=_run,
)
