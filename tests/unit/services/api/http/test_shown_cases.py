"""What an answer has of which case, found where answers have it."""

from __future__ import annotations

from typing import Any

import pytest

from services.api.http.shown_cases import ShownCase, shown_cases

ONE, TWO = "1000145-91.2023.8.26.0597", "5000315-75.2025.4.03.6327"
DOCUMENTS = [{"id": "a", "download_url": "https://s3/a"}, {"id": "b", "download_url": None}]


@pytest.mark.parametrize(
    ("content", "cases"),
    [
        ({"process_number": ONE, "documents": DOCUMENTS, "job": {"process_number": TWO}}, {ONE: (2, 1)}),
        ({"process_number": ONE, "documents_total": 3}, {ONE: (0, 0)}),
        # Lists of cases, deliveries, entries; a case twice is one.
        ({"processes": [{"process_number": ONE}, {"process_number": TWO}]}, {ONE: (0, 0), TWO: (0, 0)}),
        ({"deliveries": [{"process_number": ONE}, {"process_number": ONE}], "next_cursor": None}, {ONE: (0, 0)}),
        ({"events": [{"type": "x", "data": {"process_number": TWO, "documents": DOCUMENTS}}] * 2}, {TWO: (4, 2)}),
        # A number that was refused shows nothing of a case.
        ({"entries": [{"process_number": ONE, "problem": {"code": "x"}}, {"process_number": TWO}]}, {TWO: (0, 0)}),
        ({"dead_letters": [{"process_number": None}]}, {}),
        ({"secret": "whsec_", "list": [1, None, "x"]}, {}),
        ([], {}),
        (None, {}),
    ],
)  # fmt: skip
def test_cases_of_an_answer(content: Any, cases: dict[str, tuple[int, int]]) -> None:
    assert {number: tuple(case) for number, case in shown_cases(content).cases.items()} == cases


def test_a_page_of_a_case_whose_number_is_in_the_address() -> None:
    shown = shown_cases({"documents": DOCUMENTS * 50, "next_cursor": "x", "total": 10_000})
    assert not shown.cases and shown.here == ShownCase(100, 50)
