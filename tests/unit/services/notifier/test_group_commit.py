"""Group commit: what waits goes together, each gets its own result, one bad item harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.notifier.group_commit import GroupCommit
from shared.errors import InfrastructureAway
from tests.support import wait_until_async


async def test_what_arrives_during_a_transaction_goes_into_the_next() -> None:
    batches: list[list[int]] = []
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        await gate.wait()
        return [item * 10 for item in items]

    group = GroupCommit(work, most=3)
    tasks = [asyncio.create_task(group.submit(0))]
    await wait_until_async(lambda: batches)
    tasks += [asyncio.create_task(group.submit(number)) for number in range(1, 6)]
    await wait_until_async(lambda: len(group._waiting) == 5)
    gate.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40, 50]
    assert batches == [[0], [1, 2, 3], [4, 5]]


async def test_one_bad_item_fails_alone() -> None:
    async def work(items: Sequence[int]) -> list[int]:
        if 2 in items:
            raise ValueError("two")
        return list(items)

    group = GroupCommit(work)
    results = await asyncio.gather(*(group.submit(number) for number in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [int, int, ValueError, int]


async def test_a_database_that_is_away_is_away_for_all_of_them_once() -> None:
    calls = 0

    async def work(items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise InfrastructureAway("database")

    group = GroupCommit(work)
    results = await asyncio.gather(*(group.submit(number) for number in range(4)), return_exceptions=True)
    assert all(isinstance(result, InfrastructureAway) for result in results)
    assert calls <= 2
    with pytest.raises(InfrastructureAway):
        await group.submit(1)


async def test_after_a_pause_the_first_goes_at_once_and_what_follows_quickly_goes_together() -> None:
    batches: list[list[int]] = []

    async def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return list(items)

    group = GroupCommit(work, most=3, pause=0.2)
    began = asyncio.get_running_loop().time()
    assert await group.submit(0) == 0
    later = [asyncio.create_task(group.submit(number)) for number in (1, 2)]
    await asyncio.gather(*later)
    assert batches == [[0], [1, 2]]
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_full_batch_does_not_wait_for_the_pause_to_end() -> None:
    batches: list[list[int]] = []

    async def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return list(items)

    group = GroupCommit(work, most=3, pause=3600.0)
    await group.submit(0)
    async with asyncio.timeout(10):
        await asyncio.gather(*(group.submit(number) for number in (1, 2, 3)))
    assert batches == [[0], [1, 2, 3]]
