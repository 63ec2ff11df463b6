"""GCRA as arithmetic: never more than the burst at once, never more than the rate in the long run."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.api.access.rate_limit import Limit, decide, headers
from shared.settings import Rate

START = datetime(2025, 1, 1, tzinfo=UTC)

limits = st.builds(
    lambda count, period, burst: Limit("bulk", Rate(count, period), burst),
    st.integers(1, 1000),
    st.sampled_from([1.0, 60.0, 3600.0]),
    st.integers(1, 200),
)
gaps = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=200)


def run(limit: Limit, waits: list[float]) -> list[tuple[float, bool]]:
    tat, now, seen = None, START, []
    for wait in waits:
        now += timedelta(seconds=wait)
        allowance = decide(limit, tat, now)
        if allowance.allowed:
            tat = allowance.tat
        seen.append(((now - START).total_seconds(), allowance.allowed))
    return seen


@given(limits)
def test_a_whole_burst_is_allowed_at_once_and_then_no_more(limit: Limit) -> None:
    outcomes = [allowed for _, allowed in run(limit, [0.0] * (limit.burst + 1))]
    assert outcomes == [True] * limit.burst + [False]


@given(limits, gaps)
def test_no_window_has_more_than_the_burst_and_what_flows_back(limit: Limit, waits: list[float]) -> None:
    times = [at for at, allowed in run(limit, waits) if allowed]
    for first, begin in enumerate(times):
        for count, end in enumerate(times[first:], 1):
            assert count <= limit.burst + (end - begin) / limit.interval.total_seconds() + 1e-3


@given(limits, st.integers(0, 300))
def test_after_retry_after_the_request_is_allowed(limit: Limit, spent: int) -> None:
    tat = None
    for _ in range(spent):
        allowance = decide(limit, tat, START)
        tat = allowance.tat if allowance.allowed else tat
    refused = decide(limit, tat, START)
    if refused.allowed:
        assert refused.retry_after == 0
        return
    later = START + timedelta(seconds=refused.retry_after, microseconds=2)
    assert decide(limit, tat, later).allowed
    earlier = START + timedelta(seconds=refused.retry_after * 0.9)
    assert not decide(limit, tat, earlier).allowed or refused.retry_after < 1e-4


@given(limits, st.integers(0, 250))
def test_remaining_counts_down_and_looking_costs_nothing(limit: Limit, spent: int) -> None:
    tat = None
    for _ in range(min(spent, limit.burst)):
        tat = decide(limit, tat, START).tat
    looked = decide(limit, tat, START, 0)
    assert looked.allowed
    assert looked.remaining == limit.burst - min(spent, limit.burst)


def test_headers_follow_the_draft() -> None:
    limit = Limit("bulk", Rate(60, 60.0), 120)
    allowed = decide(limit, None, START)
    assert headers(limit, allowed) == {"RateLimit-Policy": '"bulk";q=120;w=120', "RateLimit": '"bulk";r=119;t=1'}
    refused = decide(limit, START + timedelta(seconds=120), START)
    assert headers(limit, refused)["Retry-After"] == "1"
    assert math.isclose(refused.retry_after, 1.0)
