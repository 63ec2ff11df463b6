"""Which worker runs which test, by its address alone."""

from __future__ import annotations

import pytest

from tests.distribution import place, uses_the_product


@pytest.mark.parametrize(
    ("nodeid", "shared"),
    [
        ("tests/e2e/test_api.py::test_a", True),
        ("tests/e2e/test_api.py::test_a[tests/x]", True),
        ("tests/e2e/commands/test_stack.py::test_a", False),
        ("tests/integration/api/test_http.py::test_a", False),
    ],
)
def test_what_lies_directly_in_e2e_shares_one_product(nodeid: str, shared: bool) -> None:
    assert uses_the_product(nodeid) is shared


def test_unit_tests_come_last_and_the_product_first() -> None:
    files = [
        "tests/unit/a/test_a.py::test",
        "tests/integration/db/test_a.py::test",
        "tests/e2e/commands/test_a.py::test",
        "tests/chaos/test_a.py::test",
        "tests/e2e/test_a.py::test",
    ]
    assert sorted(files, key=place) == list(reversed(files))
