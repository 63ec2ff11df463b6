"""How long a case of 3 documents takes while large cases fill every place, with one worker and with two; and beside
cases whose documents the source never gives, each in its way.
"""

from __future__ import annotations

import asyncio
import time

from autos.local.pdpj.control import Failure, FailureKind, SourceSetting
from tools.bench.delivery import ask, make_cases, wait_for_end
from tools.bench.figures import Figure
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_SMALL = 3
_SIZE = 10_000
_LATENCY_SECONDS = 0.1
_DEADLINE_SECONDS = 60.0
_BAD_DOCUMENTS = 10
_BAD_FOR_SECONDS = 2.0
"""After the first requests for their documents; so long the bad cases have been there."""
_FAULTS = {
    "hanging": FailureKind.HANG,
    "dripping": FailureKind.DRIP,
    "resetting": FailureKind.RESET,
    "503": FailureKind.UNAVAILABLE_503,
    "504": FailureKind.TIMEOUT_504,
    "malformed": FailureKind.MALFORMED_LENGTHS,
}


def _run(plan: Plan) -> list[Figure]:
    """The time of a small case on an idle product and beside large ones, with one worker and with two."""
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
    return figures + _beside_bad_cases(plan)


def _beside_bad_cases(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    count = plan.size(24, 8)
    with running_product(plan) as product:
        product.simulator.configure_source(SourceSetting(latency=_LATENCY_SECONDS))
        _small_case(product)
        for label, kind in _FAULTS.items():
            idle = [_small_case(product) for _ in range(plan.rounds)]
            jobs = asyncio.run(_ask_for_bad_cases(product, kind, count))
            beside = [_small_case(product) for _ in range(plan.rounds)]
            asyncio.run(_cancel(product, jobs))
            plan.say(f"  beside {count} {label} cases: {max(beside):.2f} s, idle {max(idle):.2f} s")
            name = f"a case of {_SMALL} beside {count} {label} cases of {_BAD_DOCUMENTS}"
            figures.append(Figure(name, "s", tuple(beside), tuple(idle), "<= 2 x idle + 5"))
    return figures


async def _ask_for_bad_cases(product: Product, kind: FailureKind, count: int) -> list[str]:
    """Their jobs, when the source has been asked for some of their documents."""
    before = product.simulator.metrics(by_case=False).by_failure.get(kind, 0)
    jobs = []
    async with product.client() as client:
        for number in case_numbers(count):
            failures = [Failure(kind=kind)]
            product.simulator.put_case(number, documents=_BAD_DOCUMENTS, size=_SIZE, failures=failures)
            await ask(client, number)
            answer = await client.get(f"/processes/{number}/status")
            jobs.append(str(answer.raise_for_status().json()["job_id"]))
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while product.simulator.metrics(by_case=False).by_failure.get(kind, 0) < before + count:
        if time.monotonic() > deadline:
            raise BenchmarkFailed("the bad cases were not asked for")
        await asyncio.sleep(0.05)
    await asyncio.sleep(_BAD_FOR_SECONDS)
    return jobs


async def _cancel(product: Product, jobs: list[str]) -> None:
    async with product.client() as client:
        for job in jobs:
            (await client.post(f"/jobs/{job}/cancel")).raise_for_status()


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
    measures="a case of 3 documents asked for while large cases download, and beside cases that always fail",
    baseline="the same case on the same system while it was idle",
    run=_run,
)
