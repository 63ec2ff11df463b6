"""Batches items: what is submitted while one batch is at work goes into the next one.

A transaction, or a request to a broker, costs about as much as fifty of its items. An idle system makes one for each
item and nobody waits; under load the batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from shared.errors import InfrastructureAway

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(NamedTuple, Generic[T]):
    item: T
    since: float


class Batcher(Generic[T, R]):
    """Gives batches of at most ``most`` items to ``work``, one batch at a time, in the order they were submitted.

    ``work`` returns one result for each item, in their order. When it raises InfrastructureAway, every item of the
    batch gets that error. When it raises anything else, each item is tried alone, so that the error reaches only the
    items that cause it: ``work`` must be able to repeat a batch that failed.

    A batch begins as soon as no other is at work. Two options (in seconds) let more items gather first:
    ``wait``, the time from an item to the batch that takes it; ``pause``, the time from the beginning of one batch to
    the beginning of the next, so that the first item after a pause waits for nobody. Neither delays a batch of
    ``most`` items, nor a :meth:`flush`.

    For one event loop. Not for a reader that must stop while a batch is at work: nothing bounds what is submitted.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        most: int = 200,
        wait: float = 0.0,
        pause: float = 0.0,
    ) -> None:
        self._work = work
        self._most = most
        self._wait = wait
        self._pause = pause
        self._began = -math.inf
        # By the future of its result, in order (a dict keeps it).
        self._waiting: dict[asyncio.Future[R], _Waiting[T]] = {}
        self._at_work: list[asyncio.Future[R]] = []
        self._flushed = 0
        self._hurry = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many items wait for a batch."""
        return len(self._waiting)

    async def submit(self, item: T) -> R:
        """The result for ``item``. Raises what ``work`` raises about it. A caller that is cancelled withdraws it."""
        return await self.add(item)

    def add(self, item: T) -> asyncio.Future[R]:
        """As :meth:`submit`, without waiting. Where nobody awaits the future, ``work`` must not raise."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting[future] = _Waiting(item, loop.time())
        if len(self._waiting) >= self._most:
            self._hurry.set()
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return future

    def withdraw(self, future: asyncio.Future[R]) -> bool:
        """Take back an item; False when a batch has taken it already."""
        if self._waiting.pop(future, None) is None:
            return False
        future.cancel()
        return True

    async def flush(self) -> None:
        """Begin at once with what waits, and return when all that was submitted before has its result."""
        pending = [*self._at_work, *self._waiting]
        self._flushed = len(self._waiting)
        self._hurry.set()
        if pending:
            await asyncio.wait(pending)

    async def _run(self) -> None:
        while self._waiting:
            await self._gather()
            if batch := self._next_batch():
                self._began = asyncio.get_running_loop().time()
                self._at_work = [future for future, _ in batch]
                await self._process(batch)
                self._at_work = []

    async def _gather(self) -> None:
        """Wait until the next batch may begin."""
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._waiting) < self._most and not self._flushed:
            first = next(iter(self._waiting.values()))
            left = max(first.since + self._wait, self._began + self._pause) - loop.time()
            if left <= 0:
                break
            self._hurry.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()

    def _next_batch(self) -> list[tuple[asyncio.Future[R], T]]:
        taken = list(islice(self._waiting.items(), self._most))
        for future, _ in taken:
            del self._waiting[future]
        self._flushed = max(0, self._flushed - len(taken)) if self._waiting else 0
        # A caller that was cancelled wants nothing any more.
        return [(future, waiting.item) for future, waiting in taken if not future.done()]

    async def _process(self, batch: list[tuple[asyncio.Future[R], T]]) -> None:
        try:
            results = await self._work([item for _, item in batch])
        except InfrastructureAway as away:
            for future, _ in batch:
                _fail(future, InfrastructureAway(away.what, away.retry_in))
        # An edge: the error goes to whom it concerns, which trying each alone finds out.
        except Exception as error:  # noqa: BLE001
            if len(batch) == 1:
                _fail(batch[0][0], error)
                return
            for each in batch:
                await self._process([each])
        else:
            for (future, _), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
