"""When a webhook is retried: the delay after each failed attempt, its jitter, and the receiver's Retry-After."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DEFAULT_DELAYS: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, *3 * (21_600.0,))
"""Three quick retries, then about 19 hours: a receiver that is down for a night gets everything in the morning."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The schedule of one delivery. All in seconds but ``jitter``, the largest share of a delay that is added to it.

    ``delays`` has one entry for each retry; after the last one the delivery is exhausted. Which answers count as a
    failure is decided by :func:`services.notifier.domain.delivery.decide`.
    """

    delays: tuple[float, ...] = DEFAULT_DELAYS
    jitter: float = 0.1
    retry_after_cap: float = 6 * 3600.0
    lease: float = 25.0
    smaller_after: float = 1.0
    """From a body that was too large (413) to the next attempt, which sends a smaller one."""

    def due(self, failures: int, now: datetime, *, retry_after: float | None, draw: float) -> datetime | None:
        """When to try again after the ``failures``-th failure of a round (from 1); None when the schedule is spent.

        ``draw`` in [0, 1) chooses the jitter, which only adds; a Retry-After (seconds, capped) is never undercut.
        """
        if failures > len(self.delays):
            return None
        delay = self.delays[failures - 1] * (1.0 + self.jitter * draw)
        if retry_after is not None:
            delay = max(delay, min(retry_after, self.retry_after_cap))
        return now + timedelta(seconds=delay)
