"""A number of bytes that several tasks share: who wants more than is free waits, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable


class ByteBudget:
    """``total`` bytes. One task's wish is cut to the total, so that each is served some time."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    def hold(self, size: int) -> _Held:
        """Have ``size`` bytes of the budget inside of the block."""
        return _Held(min(size, self._total), self._take, self._give)

    async def _take(self, size: int) -> None:
        if not self._line and size <= self._free:
            self._free -= size
            return
        served: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (size, served)
        self._line.append(place)
        try:
            await served
        except asyncio.CancelledError:
            if not served.cancelled():
                # Served and cancelled in the same moment.
                self._give(size)
            else:
                if place in self._line:
                    self._line.remove(place)
                self._serve()
            raise

    def _give(self, size: int) -> None:
        self._free += size
        self._serve()

    def _serve(self) -> None:
        while self._line:
            size, served = self._line[0]
            if not served.cancelled():
                if size > self._free:
                    return
                self._free -= size
                served.set_result(None)
            self._line.popleft()


class _Held:
    """Bytes of a budget for a block. No generator, which each document would pay for."""

    __slots__ = ("_give", "_size", "_take")

    def __init__(self, size: int, take: Callable[[int], Awaitable[None]], give: Callable[[int], None]) -> None:
        self._size = size
        self._take = take
        self._give = give

    async def __aenter__(self) -> None:
        await self._take(self._size)

    async def __aexit__(self, *_error: object) -> None:
        self._give(self._size)
