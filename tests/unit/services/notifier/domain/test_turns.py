"""Turns: first come first served, nobody twice, and those that come back at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.turns import Turns


@given(st.lists(st.sampled_from("abcd")))
def test_turns_are_taken_in_the_order_of_the_first_question(names: list[str]) -> None:
    turns = Turns()
    for name in names:
        turns.ask(name)
    taken = []
    while turns:
        taken.append(turns.next())
    assert taken == list(dict.fromkeys(names))


def test_a_name_comes_back_at_its_time_and_not_before() -> None:
    turns = Turns()
    turns.ask_at(5.0, "late")
    turns.ask_at(3.0, "soon")
    assert turns.next_time == 3.0
    turns.wake(2.9)
    assert not turns
    turns.wake(5.0)
    assert [turns.next(), turns.next()] == ["soon", "late"]
    assert turns.next_time is None and not turns
