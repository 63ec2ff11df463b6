"""A client's own reference: what may be one."""

from __future__ import annotations

import pytest

from shared.domain.reference import MOST_CHARACTERS, InvalidReference, checked


@pytest.mark.parametrize("text", ["1", "Processo nº 12/2026", "  spaces stay  ", "ü" * MOST_CHARACTERS, "🗂" * 200])
def test_a_reference_comes_back_as_it_was_given(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("x" * (MOST_CHARACTERS + 1), "too_long"),
        ("a\nb", "control_characters"),
        ("a\x00", "control_characters"),
        ("\x7f", "control_characters"),
        ("\x85", "control_characters"),
        ("a\u2028b", "control_characters"),
        ("half \ud83d", "control_characters"),
    ],
)
def test_what_is_no_reference_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        checked(text)
    assert refused.value.reason == reason
