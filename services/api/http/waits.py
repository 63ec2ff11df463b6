"""How long a request waited for others: for a change that its client asked to wait for, the source, a receiver.

What is left of its time is the api's own, and what "answers under a second" is about (docs/reference/metrics.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass
class RequestWaits:
    """Seconds that one request has waited for others."""

    seconds: float = 0.0
    open: int = 0
    """Blocks that wait now: what waits for several at once waits once."""
    since: float = 0.0


_CURRENT: Final[ContextVar[RequestWaits]] = ContextVar("autos_request_waits")


def waits_of_request() -> RequestWaits:
    """Begin to count for the request that this task answers; tasks that it starts count here too."""
    waits = RequestWaits()
    _CURRENT.set(waits)
    return waits


@contextmanager
def waiting_for_others() -> Iterator[None]:
    """The time of this block is not the api's own."""
    waits = _CURRENT.get(None) or RequestWaits()
    if waits.open == 0:
        waits.since = time.perf_counter()
    waits.open += 1
    try:
        yield
    finally:
        waits.open -= 1
        if waits.open == 0:
            waits.seconds += time.perf_counter() - waits.since
