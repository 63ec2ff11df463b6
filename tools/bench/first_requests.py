"""A hundred first requests at once, on an idle system and while a large case downloads."""

from __future__ import annotations

import asyncio

from autos.local.pdpj.control import SourceSetting
from shared.concurrency.task_groups import run_together
from tools.bench.delivery import ask, deliver, make_cases, wait_for_end
from tools.bench.figures import Figure, percentile
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, Plan

_REQUESTS = 100
_DOCUMENTS = 12
_SIZE = 100_000
_BACKGROUND_CASES = 4
_SHARES = (("p50", 0.5, ""), ("p99", 0.99, "< 1,000"))


def _run(plan: Plan) -> list[Figure]:
    """First requests at once, on an idle product and while it downloads."""
    idle: list[list[float]] = []
    busy: list[list[float]] = []
    with running_product(plan) as product:
        product.simulator.configure_source(SourceSetting(latency=0.1))
        _on_idle(product, 10)
        for _ in range(plan.rounds):
            idle.append(_on_idle(product, _REQUESTS))
            busy.append(_while_downloading(product, plan.size(300, 100)))
            plan.say(
                f"  p99 {percentile(busy[-1], 0.99) * 1000:.0f} ms, idle {percentile(idle[-1], 0.99) * 1000:.0f} ms"
            )
    return [
        Figure(
            f"{_REQUESTS} first requests at once, {label}",
            "ms",
            tuple(percentile(seconds, share) * 1000 for seconds in busy),
            tuple(percentile(seconds, share) * 1000 for seconds in idle),
            aim,
        )
        for label, share, aim in _SHARES
    ]


def _on_idle(product: Product, count: int) -> list[float]:
    numbers = case_numbers(count)
    make_cases(product, numbers, _DOCUMENTS, _SIZE)
    return list(asyncio.run(deliver(product, numbers, _DOCUMENTS)).answers)


def _while_downloading(product: Product, documents: int) -> list[float]:
    background, numbers = case_numbers(_BACKGROUND_CASES), case_numbers(_REQUESTS)
    make_cases(product, background, documents, _SIZE)
    make_cases(product, numbers, _DOCUMENTS, _SIZE)
    return asyncio.run(_ask_into(product, background, documents, numbers))


async def _ask_into(product: Product, background: list[str], documents: int, numbers: list[str]) -> list[float]:
    async with product.client() as client:
        for number in background:
            await ask(client, number)
        # Not before the downloads run.
        await _some_available(product, background)
        answers = await run_together(ask(client, number) for number in numbers)
    await wait_for_end(
        product,
        [*background, *numbers],
        len(background) * documents + len(numbers) * _DOCUMENTS,
        timeout=300.0,
    )
    return answers


async def _some_available(product: Product, numbers: list[str]) -> None:
    await wait_for_end(product, numbers, 1, timeout=60.0, ended=False)


BENCHMARK = Benchmark(
    name="first_requests",
    measures="the answers to 100 simultaneous first requests while four large cases download",
    baseline="the same on a system that was idle",
    run=_run,
)
