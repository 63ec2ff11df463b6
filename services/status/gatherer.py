"""Gathers events into batches: one is written when it is full or old enough, and sooner when an event is urgent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_WRITES_TO_WAIT: Final = 2.0
"""An urgent event waits for others this many times as long as the last write took: a few milliseconds on an idle
system. With more than one, batches grow while writing is what takes the time, until they are full."""

_URGENT_SECONDS: Final = 0.005
"""After which an urgent event waits on only while others arrive without a break of LULL_SECONDS."""
LULL_SECONDS: Final = 0.003


class Gatherer(Generic[T]):
    """Batches of at most ``size``, given to ``write`` one at a time; nothing waits longer than ``seconds`` for others.

    While one is being written nothing is taken in: the database's thread and the event loop share the interpreter,
    and an event that is not read yet costs nothing (docs/adr/0008-projection.md). ``write`` must not raise. Why this
    is not shared/concurrency/batcher.py: docs/adr/0025-one-batcher.md.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        size: int,
        seconds: float,
        lull: float = LULL_SECONDS,
    ) -> None:
        self._write = write
        self._size = size
        self._seconds = seconds
        self._lull = lull
        self._batch: list[T] = []
        self._due = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._latest = 0.0
        self._added_at = 0.0
        self._last_write = 0.0

    async def add(self, item: T, *, urgent: Callable[[], bool]) -> None:
        """Take an item in; waits while there is no room, and so holds back who reads. One caller at a time.

        ``urgent`` is always asked, and only when there is room: the write before may have changed its answer.
        """
        await self._free.wait()
        hurried = urgent()
        self._batch.append(item)
        self._added_at = asyncio.get_running_loop().time()
        if len(self._batch) >= self._size:
            self._free.clear()
            self._due.set()
        elif hurried:
            longest = min(self._seconds, _WRITES_TO_WAIT * self._last_write)
            self._write_within(min(longest, _URGENT_SECONDS), longest)
        elif self._timer is None:
            self._write_within(self._seconds, self._seconds)

    async def run(self) -> None:
        """Write batches until cancelled; what is not written then was never acknowledged and is read again."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._due.wait()
                self._free.clear()
                began = loop.time()
                await self._write(self._take())
                self._last_write = loop.time() - began
                self._free.set()
        finally:
            self._stop_timer()

    def _write_within(self, seconds: float, longest: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Not the handle's when(): uvloop's has none when the time is less than a millisecond.
        if self._timer is None or now + seconds < self._timer_at:
            self._stop_timer()
            self._timer_at, self._latest = now + seconds, now + longest
            self._timer = loop.call_later(seconds, self._on_time)

    def _on_time(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._latest and now - self._added_at < self._lull:
            self._timer_at = now + self._lull
            self._timer = loop.call_later(self._lull, self._on_time)
        else:
            self._due.set()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> list[T]:
        self._stop_timer()
        self._due.clear()
        taken, self._batch = self._batch, []
        return taken
