"""A backlog of very many small documents: does the rate stay, does memory stay."""

from __future__ import annotations

import asyncio
import time

from shared.concurrency.task_groups import run_together
from tools.bench.delivery import ask, make_cases, wait_for_end
from tools.bench.figures import Figure, rates_by_part
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, Plan

_DOCUMENTS = 1_000
"""Of each case."""
_SIZE = 1_000
_SETTINGS = {"AUTOS_DOWNLOAD_PER_PROCESS": "32"}
_STEP_SECONDS = 0.25


class Samples:
    """What was done and what memory was used, at each step."""

    def __init__(self, product: Product) -> None:
        self._processes = product.processes
        self.done: list[tuple[float, int]] = [(time.perf_counter(), 0)]
        self.memory: list[tuple[int, float]] = []

    def take(self, available: int) -> None:
        """Note how many documents are available now."""
        self.done.append((time.perf_counter(), available))
        self.memory.append((available, self._processes.memory().get("downloader", 0.0)))


def _run(plan: Plan) -> list[Figure]:
    total = plan.size(100_000, 10_000)
    with running_product(plan, _SETTINGS) as product:
        samples = asyncio.run(_drain(product, total))
    rates = rates_by_part(samples.done, total)
    plan.say("  documents/s by tenth: " + " ".join(f"{rate:.0f}" for rate in rates))
    # The first tenth has the requests and the planning of everything behind it in it.
    settled = rates[1:]
    early = _memory_near(samples, total * 0.2)
    late = _memory_near(samples, total)
    plan.say(f"  RSS of the downloader at 20 %: {early:.0f} MB, at the end {late:.0f} MB")
    return [
        Figure("backlog of 1 kB documents, whole run", "documents/s", (total / _seconds(samples),)),
        Figure("slowest tenth (of 2 to 10)", "documents/s", (min(settled),), (max(settled),), "constant"),
        Figure("last tenth", "documents/s", (rates[-1],), (rates[1],), "1 × the second"),
        Figure("RSS of the downloader at the end", "MB", (late,), (early,), "flat"),
        Figure("peak RSS of the downloader", "MB", (max(memory for _, memory in samples.memory),), (early,)),
    ]


async def _drain(product: Product, total: int) -> Samples:
    """Ask for cases until so many documents wait, and sample the backlog until it is empty."""
    numbers = case_numbers(total // _DOCUMENTS)
    await asyncio.to_thread(make_cases, product, numbers, _DOCUMENTS, _SIZE)
    samples = Samples(product)
    async with product.client() as client:
        waiting = asyncio.ensure_future(
            wait_for_end(product, numbers, total, timeout=1_800.0, watch=samples.take, step=_STEP_SECONDS)
        )
        places = asyncio.Semaphore(4)

        async def one(number: str) -> None:
            async with places:
                await ask(client, number)

        try:
            await run_together(one(number) for number in numbers)
            await waiting
        finally:
            waiting.cancel()
    return samples


def _seconds(samples: Samples) -> float:
    return samples.done[-1][0] - samples.done[0][0]


def _memory_near(samples: Samples, done: float) -> float:
    return min(samples.memory, key=lambda sample: abs(sample[0] - done))[1]


BENCHMARK = Benchmark(
    name="backlog",
    measures="100,000 (quick: 10,000) documents of 1 kB in cases of 1,000, drained by one downloader",
    baseline="the second tenth of the same run (for the slowest tenth: the fastest)",
    run=_run,
)
