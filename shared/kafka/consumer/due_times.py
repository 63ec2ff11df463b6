"""When a record may be handled, and how long a repeat waits. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

SKEW_SECONDS: Final = 60.0
"""How far the clock of the process that wrote a record may be ahead of ours."""

_LONGEST_BACKOFF_SECONDS: Final = 5.0


def due_at(not_before: float | None, now: float, longest_wait: float | None) -> float | None:
    """When a record is due, in seconds since the epoch; None: now.

    ``longest_wait`` is how many seconds a record can have to wait in its topic (None: as long as it asks for). A time
    beyond that, plus the difference of two clocks, is a mistake: the record is due now. Its document or delivery gets
    its attempt, and the record takes no place among those that wait for their time.
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


def backoff(times: int, first: float, hint: float | None = None) -> float:
    """Seconds before a repeat: the hint plus up to a tenth, else ``first`` doubling up to 5 s, less up to a half."""
    if hint is not None:
        return max(0.0, hint) * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load, guards nothing
    longest = min(_LONGEST_BACKOFF_SECONDS, first * 2.0 ** min(times, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
