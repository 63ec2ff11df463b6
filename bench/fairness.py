"""How long a case of 3 documents takes while large cases fill every place, with one worker and with two."""

from __future__ import annotations

import asyncio
import time

from bench.delivery import ask, make_cases, wait_for_end
from bench.figures import Figure
from bench.product import Product, case_numbers, running_product
from bench.registry import Benchmark, Plan
from local.pdpj.control import SourceSetting

_SMALL = 3
_SIZE = 10_000
_LATENCY_SECONDS = 0.1
_DEADLINE_SECONDS = 60.0


def _run(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    loads = (
        ("one case of 5,000", 1, plan.size(5_000, 1_000)),
        ("ten cases of 1,000", 10, plan.size(1_000, 200)),
    )
    for workers in (1, 2):
        for label, cases, documents in loads:
            # A stack of its own for each: what is left of a load is not waited for.
            with running_product(plan, None, f"downloader={workers}") as product:
                product.simulator.configure_source(SourceSetting(latency=_LATENCY_SECONDS))
                _small_case(product)
                idle = [_small_case(product) for _ in range(plan.rounds)]
                asyncio.run(_fill(product, cases, documents))
                busy = [_small_case(product) for _ in range(plan.rounds)]
            plan.say(f"  {workers} worker(s), {label}: {max(busy):.2f} s, idle {max(idle):.2f} s")
            name = f"a case of {_SMALL} beside {label}, {workers} worker(s)"
            figures.append(Figure(name, "s", tuple(busy), tuple(idle), "<= 2 x idle + 1"))
    return figures


def _small_case(product: Product) -> float:
    """Seconds from the request to the case's end."""
    (number,) = case_numbers(1)
    make_cases(product, [number], _SMALL, _SIZE)
    return asyncio.run(_through(product, number))


async def _through(product: Product, number: str) -> float:
    began = time.perf_counter()
    async with product.client() as client:
        await ask(client, number)
    await wait_for_end(product, [number], _SMALL, timeout=_DEADLINE_SECONDS)
    return time.perf_counter() - began


async def _fill(product: Product, cases: int, documents: int) -> None:
    """Ask for the large cases, and wait until each of them is being downloaded."""
    numbers = case_numbers(cases)
    make_cases(product, numbers, documents, _SIZE)
    async with product.client() as client:
        for number in numbers:
            await ask(client, number)
    for number in numbers:
        await wait_for_end(product, [number], 1, timeout=_DEADLINE_SECONDS, ended=False)


BENCHMARK = Benchmark(
    name="fairness",
    measures="a case of 3 documents asked for while large cases download",
    baseline="the same case on the same system while it was idle",
    run=_run,
)
