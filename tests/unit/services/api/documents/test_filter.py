"""What an archive holds: types by name or code, and a beginning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.api.documents.filter import ArchiveFilter

DAY = datetime(2024, 5, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("types", "taken"),
    [
        ([], True),
        (["petição"], True),
        (["PETIÇÃO"], True),
        (["57"], True),
        (["Sentença, Petição"], True),
        (["Sentença", "57"], True),
        (["Sentença"], False),
        (["Peti"], False),
    ],
)
def test_types_are_names_or_codes_in_any_case(types: list[str], taken: bool) -> None:
    assert ArchiveFilter.of(types, None).takes("Petição", "57", None) is taken


def test_a_name_with_a_comma_is_found_whole() -> None:
    assert ArchiveFilter.of(["Ofício, outros"], None).takes("Ofício, Outros", None, None)


def test_since_leaves_out_what_is_older_or_has_no_date() -> None:
    wanted = ArchiveFilter.of([], DAY)
    assert wanted.takes(None, None, DAY)
    assert not wanted.takes(None, None, DAY.replace(day=30))
    assert not wanted.takes(None, None, None)


def test_a_document_without_a_type_is_of_no_type() -> None:
    assert not ArchiveFilter.of(["Petição"], None).takes(None, None, DAY)
