"""One piece of work at a time for each key; everybody who asks meanwhile gets its result."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Shares the result of ``work(key)`` among the callers of the moment. For one event loop.

    ``keep_seconds`` also gives a result to those who come so soon after, so that a burst is one piece of work even when
    it lasts longer than the work. A caller that goes away does not end the work for the others. Nothing bounds the
    number of keys but the number of callers.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[V]],
        *,
        keep_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._keep_seconds = keep_seconds
        self._monotonic = monotonic
        self._flights: dict[K, asyncio.Task[V]] = {}
        self._kept: dict[K, tuple[float, V]] = {}

    async def get(self, key: K, *, again: bool = False, work: Callable[[], Awaitable[V]] | None = None) -> V:
        """The result; raises what the work raises (errors are not kept). ``again`` takes no kept one.

        ``work`` is what this caller does instead of ``work(key)`` when nobody has begun it.
        """
        kept = self._kept.get(key)
        if not again and kept is not None and kept[0] > self._monotonic():
            return kept[1]
        task = self._flights.get(key)
        if task is None:
            task = asyncio.create_task(self._fly(key, work))
            task.add_done_callback(_take_error)
            self._flights[key] = task
        return await asyncio.shield(task)

    async def _fly(self, key: K, work: Callable[[], Awaitable[V]] | None) -> V:
        try:
            result = await (work() if work is not None else self._work(key))
        finally:
            self._flights.pop(key, None)
        if self._keep_seconds > 0:
            now = self._monotonic()
            # The newest last: those before it go first.
            self._kept.pop(key, None)
            self._kept[key] = (now + self._keep_seconds, result)
            for known in list(itertools.takewhile(lambda known: self._kept[known][0] <= now, self._kept)):
                del self._kept[known]
        return result

    async def aclose(self) -> None:
        """End what is in flight."""
        tasks = list(self._flights.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _take_error(task: asyncio.Task[V]) -> None:
    """Take the error of work that nobody waits for any more: it is no news."""
    if not task.cancelled():
        task.exception()
