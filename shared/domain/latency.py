"""A histogram of seconds with few, fixed buckets, and the quantiles that it gives. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds: the upper ends of the buckets 0, 1, …; one more bucket has what took longer.

Rows of ``source.request_hours`` have the buckets' numbers, so that a change here needs a migration of what they mean.
"""


def bucket_of(seconds: float) -> int:
    """The number of the bucket."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Seconds below which ``share`` (0 to 1) of what was counted by bucket lies; None where nothing was counted.

    As evenly spread within its bucket. Of the last one only its lower end is known.
    """
    total = sum(counts.values())
    if total == 0:
        return None
    wanted, before = share * total, 0
    for bucket in sorted(counts):
        here = counts[bucket]
        if here and before + here >= wanted:
            lower = BOUNDS[bucket - 1] if bucket > 0 else 0.0
            if bucket >= len(BOUNDS):
                return BOUNDS[-1]
            return lower + (BOUNDS[bucket] - lower) * max(0.0, wanted - before) / here
        before += here
    return BOUNDS[-1]
