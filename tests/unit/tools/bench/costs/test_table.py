"""How what was counted is shown."""

from __future__ import annotations

import pytest

from tools.bench.costs.fit import Bound
from tools.bench.costs.run import CASE, DOCUMENT, WHOLE, figures, table

TAKEN = {
    "SQL statements": [(1, 7.0), (12, 29.0), (100, 205.0), (12, 29.5)],
    "nothing": [(1, 0.0), (12, 0.001), (100, 0.0), (12, 0.0)],
}


def test_each_counter_has_a_case_of_12_and_the_parts_of_the_line() -> None:
    found = {figure.unit: figure for figure in figures(TAKEN, {"SQL statements": Bound(30, 0.1)})}
    assert found[WHOLE].rounds == (29.0, 29.5)
    assert found[WHOLE].baseline == (30, 30)
    assert found[CASE].value == pytest.approx(5, abs=0.1)
    assert found[DOCUMENT].value == pytest.approx(2, abs=0.1)


def test_a_counter_is_a_line_with_its_bound() -> None:
    lines = table(figures(TAKEN, {"SQL statements": Bound(30, 0.1)})).splitlines()
    assert len(lines) == 2
    assert lines[1].split()[:5] == ["SQL", "statements", "29.0", "to", "29.5"]
    assert lines[1].endswith("≤ 33.0")
