"""The batcher: what waits goes together, each gets its own result, one bad item harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.concurrency.batcher import Batcher
from shared.errors import InfrastructureAway
from tests.support import wait_until_async


class Recording:
    """Work that notes its batches and gives ten times each item; ``gate`` keeps it from ending."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        return [item * 10 for item in items]


async def test_what_arrives_while_a_batch_is_at_work_goes_into_the_next() -> None:
    work = Recording()
    work.gate.clear()
    batcher = Batcher(work, most=3)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await wait_until_async(lambda: work.batches)
    tasks += [asyncio.create_task(batcher.submit(number)) for number in range(1, 6)]
    await wait_until_async(lambda: len(batcher) == 5)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40, 50]
    assert work.batches == [[0], [1, 2, 3], [4, 5]]


@given(items=st.lists(st.integers(0, 9), max_size=40), most=st.integers(1, 7), bad=st.sets(st.integers(0, 9)))
def test_each_item_gets_its_own_result_or_error_in_order(items: list[int], most: int, bad: set[int]) -> None:
    done: list[int] = []

    async def work(batch: Sequence[int]) -> list[int]:
        assert 0 < len(batch) <= most
        if bad & set(batch):
            raise ValueError(batch)
        done.extend(batch)
        return [item * 10 for item in batch]

    async def run() -> list[int | BaseException]:
        batcher = Batcher(work, most=most)
        return await asyncio.gather(*(batcher.submit(item) for item in items), return_exceptions=True)

    results = asyncio.run(run())
    assert [isinstance(result, ValueError) for result in results] == [item in bad for item in items]
    good = [item for item in items if item not in bad]
    assert [result for result in results if isinstance(result, int)] == [item * 10 for item in good]
    assert done == good


async def test_a_database_that_is_away_is_away_for_the_whole_batch_once() -> None:
    calls = 0

    async def work(_: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise InfrastructureAway("database", 2.0)

    batcher = Batcher(work)
    results = await asyncio.gather(*(batcher.submit(number) for number in range(4)), return_exceptions=True)
    assert [getattr(result, "retry_in", None) for result in results] == [2.0] * 4
    assert calls <= 2
    with pytest.raises(InfrastructureAway):
        await batcher.submit(1)


async def test_after_a_pause_the_first_goes_at_once_and_what_follows_goes_together() -> None:
    work = Recording()
    batcher = Batcher(work, most=3, pause=0.2)
    began = asyncio.get_running_loop().time()
    assert await batcher.submit(0) == 0
    await asyncio.gather(*(batcher.submit(number) for number in (1, 2)))
    assert work.batches == [[0], [1, 2]]
    assert asyncio.get_running_loop().time() - began >= 0.2


@pytest.mark.parametrize("option", ["wait", "pause"])
async def test_a_full_batch_waits_for_nothing(option: str) -> None:
    work = Recording()
    batcher = Batcher(work, most=3, **{option: 3600.0})
    first = [0, 0, 0] if option == "wait" else [0]
    async with asyncio.timeout(60):
        await asyncio.gather(*(batcher.submit(number) for number in first))
        await asyncio.gather(*(batcher.submit(number) for number in (1, 2, 3)))
    assert work.batches == [first, [1, 2, 3]]


async def test_a_flush_waits_for_nothing_and_returns_when_all_have_their_results() -> None:
    work = Recording()
    batcher = Batcher(work, most=2, wait=3600.0)
    futures = [batcher.add(number) for number in (1, 2, 3)]
    async with asyncio.timeout(60):
        await batcher.flush()
    assert [future.result() for future in futures] == [10, 20, 30]
    assert work.batches == [[1, 2], [3]]
    later = batcher.add(4)
    await asyncio.sleep(0)
    assert work.batches == [[1, 2], [3]] and not later.done()
    await batcher.flush()
    await batcher.flush()


async def test_what_is_withdrawn_is_never_worked_on_and_what_is_at_work_stays() -> None:
    work = Recording()
    work.gate.clear()
    batcher = Batcher(work)
    first = batcher.add(1)
    await wait_until_async(lambda: work.batches)
    second, third = batcher.add(2), batcher.add(3)
    assert batcher.withdraw(second)
    assert not batcher.withdraw(first) and not batcher.withdraw(second)
    work.gate.set()
    await asyncio.wait([first, third])
    assert work.batches == [[1], [3]] and second.cancelled()


async def test_a_cancelled_caller_withdraws_its_item() -> None:
    work = Recording()
    work.gate.clear()
    batcher = Batcher(work)
    first = asyncio.create_task(batcher.submit(1))
    await wait_until_async(lambda: work.batches)
    second = asyncio.create_task(batcher.submit(2))
    await wait_until_async(lambda: len(batcher) == 1)
    second.cancel()
    await asyncio.wait([second])
    work.gate.set()
    assert await first == 10
    assert await batcher.submit(3) == 30
    assert work.batches == [[1], [3]]
