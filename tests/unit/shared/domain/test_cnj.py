"""The CNJ number: numbers of real cases, every spelling people paste, and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.cnj import InvalidProcessNumber, ProcessNumber, is_masked, make, parse

VALID = [
    "1000145-91.2023.8.26.0597",
    "5000315-75.2025.4.03.6327",
    "1011745-77.2025.8.11.0041",
    "1003579-22.2025.8.26.0564",
    "0801429-56.2022.4.05.8201",
    "0003325-88.2014.8.01.0001",
    "0011632-42.2024.5.15.0033",
]


@pytest.mark.parametrize("number", VALID)
def test_valid_numbers_keep_their_mask(number: str) -> None:
    assert parse(number) == number
    assert parse(number).digits == number.replace("-", "").replace(".", "")


@pytest.mark.parametrize("number", ["1234567-89.2023.8.02.0001", "0001234-56.2023.8.26.0000"])
def test_wrong_check_digits_are_refused(number: str) -> None:
    with pytest.raises(InvalidProcessNumber) as refused:
        parse(number)
    assert refused.value.reason == "check_digits"


@pytest.mark.parametrize(
    "spelling",
    [
        "10001459120238260597",
        " 1000145-91.2023.8.26.0597 ",
        "1000145 91 2023 8 26 0597",
        "1000145\u201391.2023.8.26.0597",
        "1000145\u221291.2023.8.26.0597",
        "1000145\u00a0-\u00a091.2023.8.26.0597",
    ],
)
def test_spellings_people_paste_are_read(spelling: str) -> None:
    assert parse(spelling) == "1000145-91.2023.8.26.0597"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1000145-91.2023.8.26.059",
        "1" * 500,
        "１０００１４５-91.2023.8.26.0597",
        "10001459120238260597\n1",
    ],
)
def test_other_text_is_a_format_error(text: str) -> None:
    with pytest.raises(InvalidProcessNumber) as refused:
        parse(text)
    assert refused.value.reason == "format"


def test_a_court_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidProcessNumber) as refused:
        make(1, 2023, 8, 99, 1)
    assert refused.value.reason == "court"


@given(st.integers(0, 9_999_999), st.integers(1900, 2100), st.integers(1, 27), st.integers(0, 9999))
def test_made_numbers_are_valid_and_any_changed_digit_is_not(sequence: int, year: int, court: int, origin: int) -> None:
    number = make(sequence, year, 8, court, origin)
    assert isinstance(number, ProcessNumber)
    assert is_masked(number)
    assert parse(number.digits) == number
    for position in (0, 6, 11, 14, 24):
        changed = number[:position] + str((int(number[position]) + 1) % 10) + number[position + 1 :]
        with pytest.raises(InvalidProcessNumber):
            parse(changed)


@given(st.text(max_size=80))
def test_parse_raises_nothing_but_its_own_error(text: str) -> None:
    try:
        assert is_masked(parse(text))
    except InvalidProcessNumber as refused:
        assert refused.reason in {"format", "check_digits", "court"}
