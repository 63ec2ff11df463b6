"""The byte budget is never passed, serves in order, and survives those who give up."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.fetcher.memory_budget import ByteBudget


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 150), st.booleans()), max_size=40))
async def test_the_total_is_never_passed_and_everybody_is_served(wishes: list[tuple[int, bool]]) -> None:
    budget = ByteBudget(100)
    held = 0
    served = 0

    async def one(size: int) -> None:
        nonlocal held, served
        async with budget.hold(size):
            held += min(size, 100)
            assert held <= 100
            served += 1
            try:
                await asyncio.sleep(0)
            finally:
                held -= min(size, 100)

    tasks = [asyncio.ensure_future(one(size)) for size, _ in wishes]
    await asyncio.sleep(0)
    cancelled = [task for task, (_, gives_up) in zip(tasks, wishes, strict=True) if gives_up and task.cancel()]
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert served >= len(tasks) - len(cancelled)
    async with asyncio.timeout(60), budget.hold(100):
        assert held == 0


async def test_a_large_wish_is_not_overtaken_for_ever() -> None:
    budget = ByteBudget(10)
    order: list[str] = []
    release = asyncio.Event()

    async def one(name: str, size: int) -> None:
        async with budget.hold(size):
            order.append(name)
            await release.wait()

    tasks = [asyncio.ensure_future(one(*each)) for each in (("first", 6), ("large", 10), ("small", 1))]
    await asyncio.sleep(0)
    assert order == ["first"]
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "large", "small"]
