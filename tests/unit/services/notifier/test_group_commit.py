"""Group commit: what waits goes together, each gets its own result, one bad item harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.notifier.group_commit import GroupCommit
from shared.kafka.errors import InfrastructureAway
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
