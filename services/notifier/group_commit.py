"""Group commit: what is submitted while a transaction runs goes together into the next one.

One transaction costs about as much as fifty rows; under load this turns a transaction an item into one a batch, and
when idle an item waits for nobody. Where a result is not waited for, a pause between two transactions gathers more.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from shared.errors import InfrastructureAway

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """``work`` gets a batch and returns a result for each item, in their order; one batch at a time.

    ``pause`` is the least time in seconds from the beginning of a batch to that of the next, unless ``most`` items
    wait: the first item after a pause goes at once, those that follow quickly go together.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int = 200, pause: float = 0.0
    ) -> None:
        self._work = work
        self._most = most
        self._pause = pause
        self._began = -math.inf
        self._full = asyncio.Event()
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """The result for ``item``, once its transaction is committed.

        Raises what ``work`` raises: InfrastructureAway for the whole batch; anything else for the items that raise
        it when tried alone.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._most:
            self._full.set()
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            await self._gather()
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            # A caller that was cancelled wants nothing any more.
            batch = [entry for entry in batch if not entry[1].done()]
            if batch:
                await self._settle(batch)

    async def _gather(self) -> None:
        """Wait until the next batch may begin."""
        loop = asyncio.get_running_loop()
        left = self._began + self._pause - loop.time()
        if left > 0 and len(self._waiting) < self._most:
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._full.wait()
        self._began = loop.time()

    async def _settle(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except InfrastructureAway as away:
            for _, future in batch:
                if not future.done():
                    future.set_exception(InfrastructureAway(away.what, away.retry_in))
        # An edge: the error goes to whom it concerns, which trying alone finds out.
        except Exception as error:  # noqa: BLE001
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(error)
                return
            for entry in batch:
                await self._settle([entry])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
