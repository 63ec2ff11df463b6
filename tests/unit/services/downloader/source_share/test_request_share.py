"""The shares of all workers never pass the limit, also while workers come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.downloader.source_share.request_share import COUNTED_SECONDS, CUT_OFF_SECONDS, share

SETTLED = COUNTED_SECONDS


def settled(total: int, live: int, capacity: int = 32) -> int:
    return share(total, live, capacity=capacity, age=SETTLED, silent=0.0)


def test_a_worker_alone_takes_what_it_can_use() -> None:
    assert settled(64, 1) == 32
    assert settled(20, 1) == 20


def test_the_limit_is_shared_equally() -> None:
    assert [settled(64, live) for live in (2, 3, 4, 8)] == [32, 21, 16, 8]


def test_a_newcomer_takes_what_the_others_leave_until_they_have_counted_it() -> None:
    assert share(64, 2, capacity=32, age=0.0, silent=0.0) == 32
    assert share(64, 3, capacity=32, age=0.0, silent=0.0) == 1
    assert share(64, 3, capacity=32, age=SETTLED, silent=0.0) == 21


def test_a_worker_cut_off_from_the_database_goes_down_to_one() -> None:
    assert share(64, 2, capacity=32, age=99.0, silent=CUT_OFF_SECONDS) == 1


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 200))
def test_settled_shares_never_pass_the_limit(total: int, live: int, capacity: int) -> None:
    mine = settled(total, live, capacity)
    assert 1 <= mine <= capacity
    assert mine * live <= max(total, live)


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 200))
def test_with_a_newcomer_that_the_others_have_not_counted_the_limit_holds(
    total: int, others: int, capacity: int
) -> None:
    theirs = settled(total, others, capacity)
    mine = share(total, others + 1, capacity=capacity, age=0.0, silent=0.0)
    # The least that a worker can have is 1, so a newcomer can be one request too much.
    assert theirs * others + mine <= max(total, others) + 1
