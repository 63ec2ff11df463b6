"""What a line for each request costs: GETs a second and the API's CPU with AUTOS_ACCESS_LOG and without, in turns."""

from __future__ import annotations

import asyncio
import time

import httpx

from tools.bench.delivery import deliver, make_cases
from tools.bench.figures import Figure
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_AT_ONCE = 16
"""Requests under way: the API is never without work."""


def _run(plan: Plan) -> list[Figure]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(plan.rounds):
        for setting in ("true", "false"):
            with running_product(plan, {"AUTOS_ACCESS_LOG": setting}) as product:
                for what, measured in asyncio.run(_measure(plan, product)).items():
                    found.setdefault((what, setting), []).append(measured)
                    plan.say(f"  {what}, AUTOS_ACCESS_LOG={setting}: {measured[0]:.0f}/s, {measured[1]:.3f} ms")
    figures = []
    for what in ("a stored case of 50 documents", "a case without its documents", "/health/live"):
        on, off = found[what, "true"], found[what, "false"]
        rates = [tuple(rate for rate, _ in one) for one in (on, off)]
        costs = [tuple(cost for _, cost in one) for one in (on, off)]
        figures.append(Figure(f"{what}, with a line for each request", "/s", rates[0], rates[1]))
        figures.append(Figure(f"{what}, CPU of the API", "ms", costs[0], costs[1]))
    return figures


async def _measure(plan: Plan, product: Product) -> dict[str, tuple[float, float]]:
    (number,) = case_numbers(1)
    await asyncio.to_thread(make_cases, product, [number], 50, 2_000)
    await deliver(product, [number], 50)
    paths = {
        "a stored case of 50 documents": f"/processes/{number}",
        "a case without its documents": f"/processes/{number}?documents=false",
        "/health/live": "/health/live",
    }
    found = {}
    async with product.client() as client:
        for what, path in paths.items():
            await _as_fast_as_it_goes(client, path, 1.0)
            before = product.processes.cpu()["api"]
            count, seconds = await _as_fast_as_it_goes(client, path, plan.size(15, 4))
            found[what] = (count / seconds, (product.processes.cpu()["api"] - before) * 1000 / count)
    return found


async def _as_fast_as_it_goes(client: httpx.AsyncClient, path: str, seconds: float) -> tuple[int, float]:
    """How many GETs were answered, and in how many seconds. Raises BenchmarkFailed (in a group) for another status."""
    began = time.perf_counter()
    count = 0

    async def one_after_the_other() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            answer = await client.get(path)
            if answer.status_code != 200:
                raise BenchmarkFailed(f"{path} was answered {answer.status_code}")
            count += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(one_after_the_other())
    return count, time.perf_counter() - began


BENCHMARK = Benchmark(
    name="access_log",
    measures="GETs a second and the API's CPU for one, with a log line for each request",
    baseline="the same with AUTOS_ACCESS_LOG=false, in turns",
    run=_run,
)
