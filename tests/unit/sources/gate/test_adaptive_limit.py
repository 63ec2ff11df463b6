"""The adaptive limit: halves once for one overload, grows by one a window, stays within its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.gate.adaptive_limit import AdaptiveLimit


def test_an_overload_halves_once_for_all_that_was_in_flight() -> None:
    adaptive = AdaptiveLimit(32)
    era = adaptive.era
    assert [adaptive.overloaded(era) for _ in range(32)] == [True] + [False] * 31
    assert adaptive.limit == 16
    assert adaptive.overloaded(adaptive.era)
    assert adaptive.limit == 8


def test_a_window_of_successes_adds_one() -> None:
    adaptive = AdaptiveLimit(8)
    adaptive.overloaded(adaptive.era)
    for _ in range(3):
        adaptive.succeeded()
    assert adaptive.limit == 4
    adaptive.succeeded()
    assert adaptive.limit == 5


def test_the_share_of_a_worker_can_change() -> None:
    adaptive = AdaptiveLimit(64)
    adaptive.ceiling = 32
    assert adaptive.limit == 32
    adaptive.ceiling = 64  # the other worker ended, and the source was well
    assert adaptive.limit == 64
    adaptive.overloaded(adaptive.era)
    adaptive.ceiling = 128  # but not while the source is asked for less
    assert adaptive.limit == 32
    adaptive.ceiling = 0
    assert (adaptive.ceiling, adaptive.limit) == (1, 1)


def test_no_limit_below_one() -> None:
    with pytest.raises(ValueError):
        AdaptiveLimit(0)


@given(st.integers(1, 200), st.lists(st.one_of(st.just("ok"), st.just("slow"), st.integers(1, 200))))
def test_always_within_bounds(ceiling: int, events: list[str | int]) -> None:
    adaptive = AdaptiveLimit(ceiling)
    for event in events:
        before = adaptive.limit
        if event == "ok":
            adaptive.succeeded()
            assert before <= adaptive.limit <= before + 1
        elif event == "slow":
            adaptive.overloaded(adaptive.era)
            assert adaptive.limit == max(1, before // 2) or adaptive.limit == max(1, (before + 1) // 2)
        elif isinstance(event, int):
            adaptive.ceiling = event
        assert 1 <= adaptive.limit <= adaptive.ceiling
