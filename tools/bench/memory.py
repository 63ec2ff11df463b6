"""Memory of the downloader while eight large documents pass through it at once."""

from __future__ import annotations

import asyncio

from autos.local.pdpj.control import SourceSetting
from tools.bench.delivery import deliver, make_cases
from tools.bench.figures import Figure
from tools.bench.processes import PeakMemory
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_DOCUMENTS = 8
_SETTINGS = {
    "AUTOS_DOWNLOAD_CONCURRENCY": str(_DOCUMENTS),
    "AUTOS_DOWNLOAD_PER_PROCESS": str(_DOCUMENTS),
}


def _run(plan: Plan) -> list[Figure]:
    """The most memory that a downloader takes while it reads large documents at once. Raises BenchmarkFailed."""
    size = plan.size(300_000_000, 60_000_000)
    peaks: list[float] = []
    before: list[float] = []
    rates: list[float] = []
    # A process each round: what the allocator keeps of one round would hide the next one's growth.
    for _ in range(1 if plan.quick else min(plan.rounds, 2)):
        with running_product(plan, _SETTINGS) as product:
            asyncio.run(_small(product))
            product.simulator.configure_source(SourceSetting(latency=0.5))
            product.simulator.reset_metrics()
            numbers = case_numbers(1)
            make_cases(product, numbers, _DOCUMENTS, size)
            before.append(product.processes.memory()["downloader"])
            with PeakMemory(product.processes.pids("downloader")) as peak:
                run = asyncio.run(deliver(product, numbers, _DOCUMENTS, timeout=600))
            peaks.append(peak.megabytes)
            rates.append(_DOCUMENTS * size / 1e6 / run.seconds)
            at_once = product.simulator.case_metrics(numbers[0]).max_in_flight
            if at_once != _DOCUMENTS:
                raise BenchmarkFailed(f"{at_once} documents were read at once, not {_DOCUMENTS}")
            plan.say(f"  peak {peaks[-1]:.0f} MB, before {before[-1]:.0f} MB, {rates[-1]:.0f} MB/s")
    megabytes = size // 1_000_000
    return [
        Figure(
            f"peak RSS of the downloader, {_DOCUMENTS} × {megabytes} MB at once",
            "MB",
            tuple(peaks),
            tuple(before),
            "< 250 MB",
        ),
        Figure("throughput meanwhile", "MB/s", tuple(rates)),
    ]


async def _small(product: Product) -> None:
    """Everything imported and connected, so that the baseline is a process that has worked."""
    numbers = case_numbers(2)
    make_cases(product, numbers, 10, 100_000)
    await deliver(product, numbers, 10)


BENCHMARK = Benchmark(
    name="memory",
    measures="peak memory of a downloader with eight documents of 300 MB (quick: 60 MB) in flight",
    baseline="its memory after small documents, before the large ones",
    run=_run,
)
