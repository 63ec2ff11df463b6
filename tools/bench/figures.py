"""Figures and what is computed from them: medians, percentiles, ratios, rates by tenth. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured quantity: the median of its rounds, and that of the baseline's where there is one."""

    name: str
    unit: str
    rounds: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    aim: str = ""
    """What docs/performance.md hopes for, in words; nothing fails by it."""

    def __post_init__(self) -> None:
        if not self.rounds:
            raise ValueError(f"{self.name}: nothing was measured")

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def baseline_value(self) -> float | None:
        """The median of the baseline's rounds; None without a baseline."""
        return statistics.median(self.baseline) if self.baseline else None

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios when both sides ran in pairs, else the ratio of the medians."""
        if not self.baseline:
            return None
        if len(self.baseline) == len(self.rounds) and all(self.baseline):
            return statistics.median(ours / base for ours, base in zip(self.rounds, self.baseline, strict=True))
        base = statistics.median(self.baseline)
        return self.value / base if base else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """The least and the greatest of the rounds' ratios; None unless both sides ran several times, in pairs."""
        if len(self.rounds) < 2 or len(self.baseline) != len(self.rounds) or not all(self.baseline):
            return None
        ratios = [ours / base for ours, base in zip(self.rounds, self.baseline, strict=True)]
        return min(ratios), max(ratios)

    def as_json(self) -> dict[str, Any]:
        """The figure as it is kept, with every round."""
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "baseline": self.baseline_value,
            "ratio": self.ratio,
            "aim": self.aim,
            "rounds": list(self.rounds),
            "baseline_rounds": list(self.baseline),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed (nearest rank).

    Raises ValueError for no values, or another share.
    """
    if not values:
        raise ValueError("a percentile of nothing")
    if not 0 <= share <= 1:
        raise ValueError("a share is between 0 and 1")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What each name has used between two readings; one that was started again counts from zero."""
    used = {}
    for name, value in after.items():
        earlier = before.get(name, 0.0)
        used[name] = value - earlier if value >= earlier else value
    return used


def rates_by_part(samples: Sequence[tuple[float, int]], total: int, parts: int = 10) -> list[float]:
    """How many a second in each ``1/parts`` of ``total``.

    ``samples`` are (seconds, done so far), both rising, and begin with (start, 0); the moment at which a part was
    full is interpolated. Raises ValueError when the samples do not reach ``total``.
    """
    if not samples or samples[0][1] != 0 or samples[-1][1] < total:
        raise ValueError("samples begin with 0 and reach the total")
    bounds = [_moment(samples, total * part / parts) for part in range(parts + 1)]
    share = total / parts
    return [share / (end - begin) if end > begin else math.inf for begin, end in itertools.pairwise(bounds)]


def _moment(samples: Sequence[tuple[float, int]], wanted: float) -> float:
    before = samples[0]
    for sample in samples:
        if sample[1] >= wanted:
            if sample[1] == before[1]:
                return sample[0]
            return before[0] + (sample[0] - before[0]) * (wanted - before[1]) / (sample[1] - before[1])
        before = sample
    return samples[-1][0]
