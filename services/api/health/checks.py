"""Readiness: the outcome of every check, run for real but at most once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.concurrency.task_groups import run_together

Check = Callable[[], Awaitable[None]]
"""Returns when the thing answers, raises whatever otherwise."""

OK: Final = "ok"


class CheckFailed(Exception):
    """Raised by a check that says itself what is wrong. Everybody may read that text: it holds nothing secret."""


_KEEP_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Health:
    """``ok``, ``degraded`` (requests are answered, something behind them is away) or ``unavailable``; and why."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Mapping[str, str]
    """``ok`` or what is wrong, by name."""


def judge(checks: Mapping[str, str], needed: Collection[str]) -> Health:
    """What the outcomes mean: only what is ``needed`` to answer at all makes the service unavailable (ADR 11)."""
    wrong = {name for name, outcome in checks.items() if outcome != OK}
    if wrong.intersection(needed):
        return Health("unavailable", checks)
    return Health("degraded" if wrong else "ok", checks)


class Readiness:
    """The outcome of every check, at most a second old; all run at once, each within ``timeout`` seconds.

    ``needed`` are the checks without which no request can be answered.
    """

    def __init__(self, checks: Mapping[str, Check], *, needed: Collection[str], timeout: float = 3.0) -> None:
        self._checks = dict(checks)
        self._needed = frozenset(needed)
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._seen_at = float("-inf")
        self._seen: dict[str, str] = {}

    async def look(self) -> Health:
        """How things stand, at most a second ago. Never raises: what a check raises is its outcome."""
        async with self._lock:
            if time.monotonic() - self._seen_at >= _KEEP_SECONDS:
                outcomes = await run_together(self._run(check) for check in self._checks.values())
                self._seen = dict(zip(self._checks, outcomes, strict=True))
                self._seen_at = time.monotonic()
            return judge(self._seen, self._needed)

    async def _run(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            return "timeout"
        except CheckFailed as wrong:
            return str(wrong)
        # The edge of a health check: whatever happened, the thing is away. Only the kind of the error is shown.
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
        return OK
