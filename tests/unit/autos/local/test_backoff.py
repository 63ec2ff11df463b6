from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autos.local.supervisor import FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS, Backoff


def test_the_wait_doubles_to_five_seconds() -> None:
    waits = []
    backoff = Backoff()
    for _ in range(7):
        wait, backoff = backoff.after_death(0.0)
        waits.append(wait)
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_ten_seconds_alive_start_it_over() -> None:
    backoff = Backoff(LONGEST_DELAY)
    assert backoff.after_death(STEADY_SECONDS - 0.1)[0] == LONGEST_DELAY
    wait, following = backoff.after_death(STEADY_SECONDS)
    assert wait == FIRST_DELAY
    assert following.after_death(0)[0] == 2 * FIRST_DELAY


@given(st.lists(st.floats(0, 100)))
def test_the_wait_stays_within_its_bounds(lives: list[float]) -> None:
    backoff = Backoff()
    for alive in lives:
        wait, backoff = backoff.after_death(alive)
        assert FIRST_DELAY <= wait <= LONGEST_DELAY
