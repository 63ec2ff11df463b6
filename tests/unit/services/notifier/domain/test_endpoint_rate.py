"""The starts of an endpoint with a rate: an interval apart, reserved a moment before they come."""

from __future__ import annotations

from itertools import pairwise

import pytest

from services.notifier.domain.endpoint_rate import AHEAD_SECONDS, ReservedStart, ask_again, reserve


@pytest.mark.parametrize(
    ("next_start", "reserved"),
    [
        (-100.0, ReservedStart(0.0, 0.5)),
        (0.0, ReservedStart(0.0, 0.5)),
        (0.03, ReservedStart(0.03, 0.53)),
        (AHEAD_SECONDS, ReservedStart(AHEAD_SECONDS, AHEAD_SECONDS + 0.5)),
        (AHEAD_SECONDS + 0.001, None),
        (60.0, None),
    ],
)
def test_a_start_is_reserved_when_it_is_close(next_start: float, reserved: ReservedStart | None) -> None:
    assert reserve(next_start, 0.5) == reserved


def test_starts_are_an_interval_apart_however_late_they_are_asked_for() -> None:
    next_start, starts, now = 0.0, list[float](), 0.0
    while len(starts) < 100:
        found = reserve(next_start - now, 0.1)
        if found is None:
            now += ask_again(next_start - now) + 0.004
            continue
        starts.append(now + found.start)
        next_start = now + found.after
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) == pytest.approx(0.1) and max(gaps) == pytest.approx(0.1)
