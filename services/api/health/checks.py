"""Whether what the api needs answers: database, broker and object store, asked for real but not too often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

Check = Callable[[], Awaitable[None]]
"""Returns when the thing answers, raises whatever otherwise."""

_KEEP_SECONDS: Final = 1.0


class Readiness:
    """The outcome of every check, at most a second old; all run at once, each within ``timeout`` seconds."""

    def __init__(self, checks: Mapping[str, Check], *, timeout: float = 3.0) -> None:
        self._checks = dict(checks)
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._seen_at = float("-inf")
        self._seen: dict[str, str] = {}

    async def look(self) -> dict[str, str]:
        """``ok`` or what is wrong, by name."""
        async with self._lock:
            if time.monotonic() - self._seen_at >= _KEEP_SECONDS:
                outcomes = await asyncio.gather(*(self._run(check) for check in self._checks.values()))
                self._seen = dict(zip(self._checks, outcomes, strict=True))
                self._seen_at = time.monotonic()
            return self._seen

    async def _run(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            return "timeout"
        # The edge of a health check: whatever it is, the thing is not ready; the kind is all that is told.
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
        return "ok"
