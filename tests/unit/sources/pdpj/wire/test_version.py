"""The version of a case in the headers of HEAD ultima-atualizacao."""

from __future__ import annotations

import pytest

from sources.pdpj.wire.version import version_in

VIEW = "https://lake/processo-api/api/v1 autos"
NOON = "Thu, 02 May 2024 12:00:00 GMT"


def test_equal_etags_are_the_same_version_and_others_are_not() -> None:
    one = version_in({"etag": '"a"'}, VIEW)
    assert one is not None
    assert one == version_in({"etag": '"a"', "last-modified": NOON, "date": NOON}, VIEW)
    assert one != version_in({"etag": '"b"'}, VIEW)


def test_long_etags_that_differ_at_the_end_are_different_versions() -> None:
    assert version_in({"etag": '"' + "x" * 5_000 + 'a"'}, VIEW) != version_in({"etag": '"' + "x" * 5_000 + 'b"'}, VIEW)


def test_another_server_or_account_has_other_versions() -> None:
    assert version_in({"etag": '"a"'}, VIEW) != version_in({"etag": '"a"'}, VIEW + "2")


@pytest.mark.parametrize(
    ("answered", "counts"),
    [
        ("Thu, 02 May 2024 12:00:00 GMT", False),
        ("Thu, 02 May 2024 12:00:01 GMT", True),
        ("Thu, 02 May 2024 11:00:00 GMT", False),
        ("2024-05-02", False),
        ("", False),
    ],
)
def test_a_last_modified_counts_when_its_second_is_over(answered: str, counts: bool) -> None:
    assert (version_in({"last-modified": NOON, "date": answered}, VIEW) is not None) is counts


def test_a_last_modified_without_a_date_to_compare_does_not_count() -> None:
    assert version_in({"last-modified": NOON}, VIEW) is None
    assert version_in({"last-modified": "yesterday", "date": NOON}, VIEW) is None
    assert version_in({"last-modified": "Thu, 02 May 2024 12:00:00", "date": NOON}, VIEW) is None


def test_a_page_in_place_of_the_answer_has_no_version() -> None:
    assert version_in({"etag": '"shell"', "content-type": "text/html; charset=utf-8"}, VIEW) is None
