"""How results are shown and kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tools.bench import report
from tools.bench.figures import Figure


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.0371, "0.0371"), (4.296, "4.30"), (43.84, "43.8"), (12345.6, "12,346")]
)
def test_numbers_have_three_significant_figures(value: float, text: str) -> None:
    assert report.number(value) == text


def test_a_table_has_a_line_for_each_figure_with_its_ratio_and_aim() -> None:
    lines = report.table(
        "pipeline",
        "raw loop",
        [
            Figure("rate", "documents/s", (80.0,), (100.0,), "≥ 0.8"),
            Figure("CPU", "ms/document", (2.5,)),
            Figure("both", "ms", (1.0, 3.0), (2.0, 2.0)),
        ],
    ).splitlines()
    assert lines[0] == "pipeline  (baseline: raw loop)"
    assert lines[1].split() == ["median", "baseline", "ratio", "aim"]
    assert lines[2].split() == ["rate", "[documents/s]", "80.0", "100", "0.80", "≥", "0.8"]
    assert lines[3].split() == ["CPU", "[ms/document]", "2.50"]
    assert lines[4].endswith("1.00 (0.50 to 1.50)")


def test_a_plot_rises_with_its_values() -> None:
    lines = report.plot([0.0, 5.0, 10.0], height=2).splitlines()
    assert [line.split("|")[1] for line in lines[:2]] == ["  #", " ##"]


def test_a_long_plot_is_averaged_into_its_width() -> None:
    lines = report.plot([1.0] * 999 + [3.0], height=4, width=10).splitlines()
    assert all(len(line) <= 9 + 1 + 10 for line in lines)
    assert report.plot([]) == "(no values)"


def test_the_kept_document_says_what_the_figures_depend_on() -> None:
    kept = report.document(datetime(2026, 1, 2, tzinfo=UTC), True, {"memory": {"error": "why"}})
    read = json.loads(json.dumps(kept))
    assert read["started_at"] == "2026-01-02T00:00:00+00:00"
    assert read["quick"] is True
    assert read["machine"]["cores"] >= 1
    assert read["benchmarks"] == {"memory": {"error": "why"}}
