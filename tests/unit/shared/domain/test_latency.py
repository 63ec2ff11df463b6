"""The histogram of latencies and its quantiles."""

from __future__ import annotations

import pytest

from shared.domain.latency import BOUNDS, bucket_of, quantile


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.05, 0), (0.051, 1), (120.0, 10), (121.0, 11)])
def test_a_bucket_ends_with_its_bound(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_a_quantile_lies_in_the_bucket_that_holds_it() -> None:
    counts = {2: 90, 5: 10}  # 0.1 to 0.25 s, and 1 to 2.5 s
    assert quantile(counts, 0.5) == pytest.approx(0.1 + 0.15 * 50 / 90)
    assert quantile(counts, 0.95) == pytest.approx(1.75)
    assert quantile({0: 1}, 0.5) == pytest.approx(0.025)


def test_without_counts_there_is_none_and_of_the_last_bucket_its_lower_end() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0: 0}, 0.5) is None
    assert quantile({len(BOUNDS): 3}, 0.95) == BOUNDS[-1]
