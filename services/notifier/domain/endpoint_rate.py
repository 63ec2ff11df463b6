"""When the deliveries of an endpoint with a rate may start. Pure; times are seconds from now.

The database has one moment for each such endpoint: when its next delivery may start, whichever replica sends it. Who
claims a delivery reserves that moment and moves it on by the endpoint's interval, so that starts lie an interval apart
however many replicas there are. A moment that is close is reserved before it comes: what a claim takes is not added to
each interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AHEAD_SECONDS: Final = 0.05
"""How long before its start a delivery may be claimed: longer than a claim takes."""
TAKEN_SECONDS: Final = 0.01
"""After which a moment is asked for again that another replica is just reserving."""


@dataclass(frozen=True, slots=True)
class ReservedStart:
    """The delivery may start ``start`` seconds from now, the endpoint's next one at ``after``."""

    start: float
    after: float


def reserve(next_start: float, interval: float) -> ReservedStart | None:
    """The start of a delivery whose endpoint's next one may start then; None: it is too early to claim it."""
    if next_start > AHEAD_SECONDS:
        return None
    start = max(0.0, next_start)
    return ReservedStart(start, start + interval)


def ask_again(next_start: float) -> float:
    """Seconds until a delivery may be claimed whose endpoint's next one may start then."""
    return max(0.0, next_start - AHEAD_SECONDS)
