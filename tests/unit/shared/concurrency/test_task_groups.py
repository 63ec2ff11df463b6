"""Work that is done at once ends at once."""

from __future__ import annotations

import asyncio

import pytest

from shared.concurrency.task_groups import run_together, task_group


async def test_results_come_in_the_order_of_the_work() -> None:
    async def one(number: int) -> int:
        for _ in range(3 - number):
            await asyncio.sleep(0)
        return number

    assert await run_together(one(number) for number in range(3)) == [0, 1, 2]
    assert await run_together([]) == []


async def test_the_first_failure_is_raised_when_the_others_have_ended() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("long")

    async def broken() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await run_together([long(), broken()])
    assert ended == ["long"]

    async def nested() -> None:
        async with task_group() as tasks:
            tasks.create_task(long())
            async with task_group() as inner:
                inner.create_task(broken())

    with pytest.raises(LookupError, match="broken"):
        await nested()
    assert ended == ["long", "long"]


async def test_a_cancelled_caller_leaves_nothing_behind() -> None:
    ended = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.ensure_future(run_together([long()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
