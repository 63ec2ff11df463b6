"""How the dip of a rate is measured: the cluster's chaos judges by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.containers.cluster.rate import EVERY_SECONDS, Sample, by_second, dip, rate_at


def samples(rate: Callable[[float], float], seconds: float = 40.0) -> list[Sample]:
    """Looks at a counter that grows by ``rate`` at each moment."""
    taken, count = [], 0.0
    for step in range(int(seconds / EVERY_SECONDS) + 1):
        at = step * EVERY_SECONDS
        taken.append(Sample(at, int(count)))
        count += rate(at) * EVERY_SECONDS
    return taken


def test_a_steady_rate_has_no_dip() -> None:
    found = dip(samples(lambda at: 100), 10, 30)
    assert (found.before, found.below_half, found.whole_after) == (pytest.approx(100, abs=1), 0, 0)


def test_a_standstill_is_as_long_as_it_is() -> None:
    found = dip(samples(lambda at: 0 if 12 <= at < 19 else 100), 10, 30)
    assert found.least == 0
    assert found.below_half == pytest.approx(7, abs=0.3)
    assert found.whole_after == pytest.approx(10.5, abs=0.4)


def test_of_two_dips_the_longer_counts_and_the_end_of_the_later() -> None:
    found = dip(samples(lambda at: 10 if 11 <= at < 14 or 20 <= at < 21 else 100), 10, 30)
    assert found.below_half == pytest.approx(3, abs=0.3)
    assert found.whole_after == pytest.approx(12.4, abs=0.4)


def test_a_rate_that_falls_by_less_than_half_is_not_whole_either() -> None:
    found = dip(samples(lambda at: 60 if 12 <= at < 20 else 100), 10, 30)
    assert (found.below_half, found.whole_after) == (0, 0)


def test_a_look_that_is_missing_is_made_up_for() -> None:
    taken = [sample for sample in samples(lambda at: 100) if not 11 < sample.at < 12]
    assert rate_at(taken, 11.5, 0.5) == pytest.approx(100, abs=5)
    assert dip(taken, 10, 30).below_half == 0


def test_the_requests_of_each_second() -> None:
    taken = samples(lambda at: 0 if 12 <= at < 14 else 100)
    assert by_second(taken, 10, 16) == [pytest.approx(one, abs=1) for one in (100, 100, 0, 0, 100, 100)]
