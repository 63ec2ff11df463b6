"""One timer of the event loop that is set, set anew and cleared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LoopTimer:
    """Calls once, after the time that was set last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether it will call."""
        return self._handle is not None

    def set(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` in so many seconds, and nothing that was set before. In the event loop's thread."""
        self.clear()

        def ring() -> None:
            self._handle = None
            call()

        self._handle = self._loop.call_later(seconds, ring)

    def clear(self) -> None:
        """Call nothing."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
