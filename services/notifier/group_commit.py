"""Group commit: what is submitted while a transaction runs goes together into the next one.

One transaction costs about as much as fifty rows; under load this turns a transaction an item into one a batch, and
when idle an item waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.kafka.errors import InfrastructureAway

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """``work`` gets a batch and returns a result for each item, in their order; one batch at a time."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int = 200) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """The result for ``item``, once its transaction is committed.

        Raises what ``work`` raises: InfrastructureAway for the whole batch; anything else for the items that raise
        it when tried alone.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            # A caller that was cancelled wants nothing any more.
            batch = [entry for entry in batch if not entry[1].done()]
            if batch:
                await self._settle(batch)

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
