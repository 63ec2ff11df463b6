"""How many documents a second the source is asked for, ten looks a second; and what a fault does to that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import httpx

EVERY_SECONDS: Final = 0.1
_BEFORE_SECONDS: Final = 6.0
_WINDOW_SECONDS: Final = 0.5
_WHOLE: Final = 0.75
_WHOLE_WINDOW_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Sample:
    """The number of requests so far, at a moment of the monotonic clock (seconds)."""

    at: float
    count: int


@dataclass(frozen=True)
class Dip:
    """What a fault did to a rate."""

    before: float
    """Requests a second in the seconds before."""
    least: float
    """The least rate of half a second afterwards."""
    below_half: float
    """The longest time, in seconds, that the rate of half a second was less than half of what it was."""
    whole_after: float
    """Seconds from the fault until, after the last time below half, two seconds had three quarters of it again; 0: it
    never was below half."""

    def __str__(self) -> str:
        return (
            f"{self.before:.0f}/s before, at least {self.least:.0f}/s, "
            f"below half for {self.below_half:.1f} s, whole after {self.whole_after:.1f} s"
        )


@dataclass
class Samples:
    """The samples so far."""

    taken: list[Sample] = field(default_factory=list)


def rate_at(samples: Sequence[Sample], moment: float, seconds: float) -> float:
    """Requests a second in the ``seconds`` before ``moment``, between samples by proportion."""
    return (_count_at(samples, moment) - _count_at(samples, moment - seconds)) / seconds


def by_second(samples: Sequence[Sample], since: float, until: float) -> list[int]:
    """The requests of each second between two moments (monotonic seconds)."""
    return [round(rate_at(samples, since + step, 1.0)) for step in range(1, int(until - since) + 1)]


def dip(samples: Sequence[Sample], fault: float, until: float) -> Dip:
    """What the fault at the moment ``fault`` did, looked at until ``until`` (monotonic seconds)."""
    return dip_below(samples, rate_at(samples, fault, _BEFORE_SECONDS), fault, until)


def dip_below(samples: Sequence[Sample], before: float, fault: float, until: float) -> Dip:
    """The same against a rate that is known."""
    least, longest, began, whole_after = before, 0.0, None, 0.0
    broken = False
    steps = int((until - fault) / EVERY_SECONDS)
    for step in range(1, steps + 1):
        moment = fault + step * EVERY_SECONDS
        rate = rate_at(samples, moment, _WINDOW_SECONDS)
        least = min(least, rate)
        if rate < before / 2:
            began = moment if began is None else began
            longest = max(longest, moment - began + EVERY_SECONDS)
            broken = True
        else:
            began = None
        broken = broken and rate_at(samples, moment, _WHOLE_WINDOW_SECONDS) < before * _WHOLE
        if broken:
            whole_after = moment - fault
    return Dip(before, least, longest, whole_after)


def _count_at(samples: Sequence[Sample], moment: float) -> float:
    for earlier, later in pairwise(samples):
        if earlier.at <= moment <= later.at:
            share = (moment - earlier.at) / (later.at - earlier.at) if later.at > earlier.at else 1.0
            return earlier.count + share * (later.count - earlier.count)
    return float(samples[0].count if moment < samples[0].at else samples[-1].count)


@contextmanager
def sampling(count: Callable[[], int]) -> Iterator[Samples]:
    """Call ``count`` ten times a second until the block ends; a look that gets no answer is left out."""
    samples, stop = Samples(), threading.Event()

    def look() -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += EVERY_SECONDS
            try:
                samples.taken.append(Sample(time.monotonic(), count()))
            except httpx.HTTPError:
                continue

    thread = threading.Thread(target=look, name="sampling", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join(10)
