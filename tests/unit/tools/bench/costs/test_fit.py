"""The line through cases of several sizes, and the budget."""

from __future__ import annotations

import pytest

from tools.bench.costs.fit import Bound, fit, of_a_case, over


def test_a_line_gives_back_what_a_case_and_a_document_take() -> None:
    cost = fit([(1, 7.0), (12, 29.0), (100, 205.0)])
    assert cost.case == pytest.approx(5.0)
    assert cost.document == pytest.approx(2.0)


def test_small_cases_weigh_as_much_as_large_ones() -> None:
    cost = fit([(1, 7.0), (12, 29.0), (100, 225.0)])
    assert cost.case == pytest.approx(5.0, abs=0.3)


def test_one_size_gives_no_line() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        fit([(12, 1.0), (12, 2.0)])


def test_what_happens_anyway_is_taken_off() -> None:
    used = {"statements": 130.0, "new": 10.0, "noise": 1.0}
    idle = {"statements": 3.0, "noise": 2.0}
    assert of_a_case(used, idle, 10.0, 10) == {"statements": 10.0, "new": 1.0, "noise": 0.0}


def test_the_budget_tells_what_is_over_it_and_what_was_not_counted() -> None:
    budget = {"commits": Bound(13, 0.1), "statements": Bound(40, 0.1), "requests": Bound(5, 0.1)}
    found = over({"commits": 14.2, "statements": 48.0}, budget)
    assert found == [
        "requests was not counted",
        "statements: 48.0 a case of 12, the budget is 40 and at most 44.0",
    ]
