"""The API's answers at a steady rate: a stored case, a large status; and what a first request costs by itself."""

from __future__ import annotations

import asyncio
import time

import httpx

from tools.bench.delivery import ask, deliver, make_cases, wait_for_end
from tools.bench.figures import Figure, percentile
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_RATE = 50.0
_TOKEN = "api-reads"
_SETTINGS = {"AUTOS_DOWNLOAD_PER_PROCESS": "32"}


def _run(plan: Plan) -> list[Figure]:
    with running_product(plan, _SETTINGS) as product:
        return asyncio.run(_measure(plan, product))


async def _measure(plan: Plan, product: Product) -> list[Figure]:
    """Reads at a steady rate beside the cheapest answer there is, and first requests beside the time of the source."""
    (stored,), (large,) = case_numbers(1), case_numbers(1)
    await asyncio.to_thread(make_cases, product, [stored], 50, 2_000)
    await asyncio.to_thread(make_cases, product, [large], 1_000, 1_000)
    await deliver(product, [stored], 50)
    await deliver(product, [large], 1_000)
    seconds = plan.size(20, 5)
    reads: dict[str, list[float]] = {"live": [], "stored": [], "status": []}
    async with product.client() as client:
        for path in ("/health/live", f"/processes/{stored}", f"/processes/{large}/status"):
            await steadily(client, path, 10, 1.0)
        for _ in range(plan.rounds):
            reads["live"].append(percentile(await steadily(client, "/health/live", _RATE, seconds), 0.99) * 1000)
            reads["stored"].append(
                percentile(await steadily(client, f"/processes/{stored}", _RATE, seconds), 0.99) * 1000
            )
            # Ten a second: at fifty the answers of half a megabyte would measure the machine's copying.
            status = await steadily(client, f"/processes/{large}/status", 10.0, seconds)
            reads["status"].append(percentile(status, 0.99) * 1000)
            plan.say(f"  p99: stored {reads['stored'][-1]:.0f} ms, large status {reads['status'][-1]:.0f} ms")
        first, source = await _first_requests(product, client, plan.size(60, 20))
    return [
        Figure("stored case of 50 documents, 50/s, p99", "ms", tuple(reads["stored"]), tuple(reads["live"]), "< 50"),
        Figure("status of 1,000 documents, 10/s, p99", "ms", tuple(reads["status"]), tuple(reads["live"]), "< 100"),
        Figure("first request, 12 documents, p50", "ms", (percentile(first, 0.5),), (percentile(source, 0.5),)),
        Figure(
            "first request without the source's time, p50",
            "ms",
            (percentile(first, 0.5) - percentile(source, 0.5),),
            aim="< 25",
        ),
    ]


async def steadily(client: httpx.AsyncClient, path: str, rate: float, seconds: float) -> list[float]:
    """Requests at fixed times; each counts from the time at which it was due, sent late or not.

    A status other than 200 ends it with BenchmarkFailed, in an ExceptionGroup.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    found: list[float] = []

    async def one(due: float) -> None:
        answer = await client.get(path)
        found.append(loop.time() - due)
        if answer.status_code != 200:
            raise BenchmarkFailed(f"{path} was answered {answer.status_code}")

    async with asyncio.TaskGroup() as tasks:
        for index in range(int(rate * seconds)):
            due = began + index / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            tasks.create_task(one(due))
    return found


async def _first_requests(product: Product, client: httpx.AsyncClient, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of first requests, one after the other, each download ended before the next; and of the source."""
    product.simulator.allow_tokens(access=[_TOKEN])
    ours: list[float] = []
    source: list[float] = []
    headers = {"authorization": f"Bearer {_TOKEN}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as plain:
        for number, twin in zip(case_numbers(count), case_numbers(count), strict=True):
            await asyncio.to_thread(make_cases, product, [number, twin], 12, 2_000)
            # A case of the same size that nobody has read: the source makes it at its first reading.
            url = f"{product.simulator.portal_url}/api/v2/processos/{twin}"
            source.append(await _timed(plain, url))
            ours.append(await ask(client, number) * 1000)
            await wait_for_end(product, [number], 12, timeout=60.0)
    return ours, source


async def _timed(client: httpx.AsyncClient, url: str) -> float:
    """Milliseconds of a GET."""
    began = time.perf_counter()
    answer = await client.get(url)
    answer.raise_for_status()
    return (time.perf_counter() - began) * 1000


BENCHMARK = Benchmark(
    name="api_reads",
    measures="answers at a steady rate with every service running, and a first request's own cost",
    baseline="/health/live at 50/s; for first requests the source's own answer",
    run=_run,
)
