"""How many large bodies are in memory: a bound for one origin, and one in all.

A slot is held for as long as the receiver takes, which is the whole time-out where it is dead. With a bound in all
alone, one dead receiver would keep the large cases of every other one waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LargeBodySlots:
    """Slots by origin within slots in all. For one event loop."""

    def __init__(self, *, by_origin: int, in_all: int) -> None:
        self._each = by_origin
        self._all = asyncio.Semaphore(in_all)
        self._origins: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    def __len__(self) -> int:
        """Origins that have a slot or wait for one."""
        return len(self._origins)

    @asynccontextmanager
    async def hold(self, origin: str) -> AsyncIterator[None]:
        """A slot of ``origin``; waits for one of its own first, so that it holds nothing of the others meanwhile."""
        own = self._origins.setdefault(origin, asyncio.Semaphore(self._each))
        self._users[origin] = self._users.get(origin, 0) + 1
        try:
            async with own, self._all:
                yield
        finally:
            self._users[origin] -= 1
            if not self._users[origin]:
                del self._users[origin], self._origins[origin]
