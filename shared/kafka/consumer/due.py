"""When a record may be handled, by what it says and by what its topic can mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SKEW_SECONDS: Final = 60.0
"""How far the clock of whoever wrote a record may be ahead of ours."""


def due_at(not_before: float | None, now: float, longest_wait: float | None) -> float | None:
    """When a record is due, in seconds since the epoch; None: now.

    ``longest_wait`` is how many seconds a record can have to wait in its topic (None: as long as it says). A time
    further away than that, and than clocks differ, was meant by nobody. It is passed over and the record is due now:
    its document or delivery gets its attempt, and it does not take a place among those that wait for their time.
    """
    if not_before is None or not_before <= now:
        return None
    if longest_wait is not None and not_before > now + longest_wait + SKEW_SECONDS:
        return None
    return not_before


def longest_waits(tiers: Mapping[str, float], longest_delay: float) -> dict[str, float]:
    """By retry topic: the longest wait that it is used for, in seconds.

    ``tiers`` is the nominal delay of each topic. A delay goes to the topic with the largest nominal delay below it, so
    a topic has waits up to the next one's, and the last one has all up to ``longest_delay``.
    """
    ordered = sorted(tiers.items(), key=lambda tier: tier[1])
    following = [*(delay for _, delay in ordered[1:]), longest_delay]
    return {topic: max(delay, after) for (topic, delay), after in zip(ordered, following, strict=True)}
