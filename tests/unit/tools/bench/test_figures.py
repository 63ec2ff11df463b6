"""The arithmetic of the benchmarks: medians in pairs, percentiles, rates by part."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench.figures import Figure, difference, percentile, rates_by_part

values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def test_a_figure_is_the_median_of_its_rounds() -> None:
    figure = Figure("rate", "documents/s", (100.0, 300.0, 120.0), (200.0, 200.0, 100.0))
    assert figure.value == 120.0
    assert figure.baseline_value == 200.0


def test_rounds_that_ran_in_pairs_are_compared_in_pairs() -> None:
    # The machine slowed down half-way: the medians alone would say 0.5 or 2.
    figure = Figure("rate", "documents/s", (80.0, 80.0, 40.0), (100.0, 50.0, 50.0))
    assert figure.ratio == pytest.approx(0.8)


def test_rounds_that_are_not_pairs_are_compared_by_their_medians() -> None:
    assert Figure("x", "ms", (10.0,), (4.0, 5.0, 6.0)).ratio == 2.0


def test_without_a_baseline_there_is_no_ratio() -> None:
    figure = Figure("x", "ms", (10.0,))
    assert figure.baseline_value is None
    assert figure.ratio is None


def test_the_spread_is_of_the_rounds_in_pairs() -> None:
    assert Figure("x", "ms", (1.0, 3.0), (2.0, 2.0)).spread == (0.5, 1.5)
    assert Figure("x", "ms", (1.0,), (2.0,)).spread is None
    assert Figure("x", "ms", (1.0, 3.0), (2.0,)).spread is None


def test_a_baseline_of_nothing_gives_no_ratio() -> None:
    assert Figure("x", "ms", (10.0,), (0.0,)).ratio is None


def test_a_figure_needs_a_measurement() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Figure("x", "ms", ())


@given(values, st.floats(0, 1))
def test_a_percentile_is_a_value_with_that_share_at_or_below_it(found: list[float], share: float) -> None:
    chosen = percentile(found, share)
    assert chosen in found
    assert sum(value <= chosen for value in found) >= share * len(found)
    below = [value for value in found if value < chosen]
    assert not below or len(below) < share * len(found)


@pytest.mark.parametrize(("found", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_a_percentile_of_nothing_or_beyond_everything_is_refused(found: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"percentile|share"):
        percentile(found, share)


def test_a_process_that_was_started_again_counts_from_zero() -> None:
    assert difference({"api": 3.0, "status": 0.5, "new": 1.0}, {"api": 1.0, "status": 9.0}) == {
        "api": 2.0,
        "status": 0.5,
        "new": 1.0,
    }


def test_a_constant_rate_is_constant_in_every_part() -> None:
    samples = [(float(second), second * 10) for second in range(11)]
    assert rates_by_part(samples, 100) == pytest.approx([10.0] * 10)


def test_a_part_that_takes_longer_has_a_lower_rate() -> None:
    # 50 in one second, then 50 in five.
    assert rates_by_part([(0.0, 0), (1.0, 50), (6.0, 100)], 100, parts=2) == pytest.approx([50.0, 10.0])


@pytest.mark.parametrize("samples", [[], [(0.0, 0), (1.0, 99)], [(0.0, 5), (1.0, 100)]])
def test_samples_that_do_not_cover_the_run_are_refused(samples: list[tuple[float, int]]) -> None:
    with pytest.raises(ValueError, match="samples"):
        rates_by_part(samples, 100)


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 50)), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_the_parts_together_take_the_time_of_the_whole(steps: list[tuple[float, int]], parts: int) -> None:
    seconds = itertools.accumulate((step for step, _ in steps), initial=0.0)
    done = list(itertools.accumulate((step for _, step in steps), initial=0))
    samples = list(zip(seconds, done, strict=True))
    total = done[-1]
    if total == 0:
        return
    rates = rates_by_part(samples, total, parts)
    assert len(rates) == parts
    took = sum(total / parts / rate for rate in rates)
    first = max((second for second, so_far in samples if so_far == 0), default=0.0)
    last = min(second for second, so_far in samples if so_far == total)
    # What passes before the first document belongs to the first part only as far as its samples tell.
    assert last - first - 1e-6 <= took <= last + 1e-6
