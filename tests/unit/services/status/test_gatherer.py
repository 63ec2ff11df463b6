"""Batches: when one is written, what waits meanwhile, and that nothing is lost or turned round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from services.status.gatherer import LULL_SECONDS, Gatherer

LONG = 60.0
"""Seconds that no test waits for."""


def yes() -> bool:
    return True


def no() -> bool:
    return False


class Pen:
    """Takes batches; ``held`` makes a write last until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.grown = asyncio.Condition()

    async def write(self, batch: Sequence[int]) -> None:
        self.begun.set()
        await self.free.wait()
        self.batches.append(list(batch))
        async with self.grown:
            self.grown.notify_all()

    async def until(self, count: int) -> None:
        """Until so many items are written."""
        async with self.grown:
            await self.grown.wait_for(lambda: len(self.written) >= count)

    @property
    def written(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


@asynccontextmanager
async def gathering(
    pen: Pen, *, size: int = 10, seconds: float = LONG, lull: float = LULL_SECONDS
) -> AsyncIterator[Gatherer[int]]:
    gatherer = Gatherer(pen.write, size=size, seconds=seconds, lull=lull)
    task = asyncio.create_task(gatherer.run())
    try:
        async with asyncio.timeout(10):
            yield gatherer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_urgent_takes_what_waits_along() -> None:
    pen = Pen()
    async with gathering(pen) as gatherer:
        await gatherer.add(1, urgent=no)
        await gatherer.add(2, urgent=no)
        await gatherer.add(3, urgent=yes)
        await pen.until(3)
    assert pen.batches == [[1, 2, 3]]


async def test_a_full_batch_is_written() -> None:
    pen = Pen()
    async with gathering(pen, size=2) as gatherer:
        for item in range(6):
            await gatherer.add(item, urgent=no)
        await pen.until(6)
    assert pen.batches == [[0, 1], [2, 3], [4, 5]]


async def test_the_first_of_a_batch_waits_so_long_and_no_longer() -> None:
    pen = Pen()
    loop = asyncio.get_running_loop()
    async with gathering(pen, seconds=0.05) as gatherer:
        began = loop.time()
        await gatherer.add(1, urgent=no)
        await pen.begun.wait()
        assert loop.time() - began >= 0.045
    assert pen.written == [1]


async def after_a_slow_write(pen: Pen, gatherer: Gatherer[int], seconds: float) -> None:
    """Have an item written in so many seconds."""
    pen.free.clear()
    await gatherer.add(0, urgent=yes)
    await pen.begun.wait()
    asyncio.get_running_loop().call_later(seconds, pen.free.set)
    await pen.until(1)


async def test_what_is_urgent_waits_twice_as_long_as_the_last_write_took_while_others_come() -> None:
    pen = Pen()
    loop = asyncio.get_running_loop()
    # On a busy machine more than 3 ms can pass between two items.
    async with gathering(pen, size=10**9, lull=0.05) as gatherer:
        await after_a_slow_write(pen, gatherer, 0.1)
        began, item = loop.time(), 1
        await gatherer.add(item, urgent=yes)
        while len(pen.batches) == 1:
            item += 1
            await gatherer.add(item, urgent=no)
            await asyncio.sleep(0)
        took = loop.time() - began
    assert took >= 0.19
    assert len(pen.batches[1]) > 2


async def test_what_is_urgent_waits_shortly_when_nothing_comes_after_it() -> None:
    pen = Pen()
    loop = asyncio.get_running_loop()
    async with gathering(pen) as gatherer:
        await after_a_slow_write(pen, gatherer, 0.5)
        began = loop.time()
        await gatherer.add(1, urgent=no)
        await gatherer.add(2, urgent=yes)
        await pen.until(3)
        took = loop.time() - began
    assert pen.batches == [[0], [1, 2]]
    assert took >= 0.004


async def test_nothing_is_taken_in_while_a_batch_is_written() -> None:
    pen = Pen()
    pen.free.clear()
    async with gathering(pen) as gatherer:
        await gatherer.add(1, urgent=yes)
        await pen.begun.wait()
        adding = asyncio.create_task(gatherer.add(2, urgent=yes))
        done, _ = await asyncio.wait({adding}, timeout=0.05)
        assert not done
        pen.free.set()
        await pen.until(2)
        await adding
    assert pen.batches == [[1], [2]]


async def test_what_is_urgent_is_asked_after_the_write_before_has_taught() -> None:
    pen = Pen()
    pen.free.clear()
    async with gathering(pen) as gatherer:
        await gatherer.add(1, urgent=yes)
        await pen.begun.wait()
        adding = asyncio.create_task(gatherer.add(2, urgent=lambda: pen.batches == [[1]]))
        await asyncio.sleep(0)
        pen.free.set()
        await pen.until(2)
        await adding
    assert pen.batches == [[1], [2]]


def test_two_urgent_items_on_the_event_loop_of_the_service() -> None:
    """uvloop's handle of a call that is due at once knows no time."""

    async def add_two() -> list[list[int]]:
        pen = Pen()
        async with gathering(pen) as gatherer:
            await gatherer.add(1, urgent=yes)
            await gatherer.add(2, urgent=yes)
            await pen.until(2)
        return pen.batches

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(add_two()) == [[1, 2]]
