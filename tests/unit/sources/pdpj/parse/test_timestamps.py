"""Times and amounts in the forms that are seen, and levels of secrecy."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.pdpj.parse.fields import money
from sources.pdpj.parse.secrecy import level_of, strictest, word_of
from sources.pdpj.parse.timestamps import timestamp

AT = datetime(2024, 7, 25, 20, 5, 54, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2024-07-25T17:05:54",
        "2024-07-25 17:05:54",
        "2024-07-25T17:05:54.000000000",
        "2024-07-25T17:05:54-03:00",
        "2024-07-25T17:05:54-0300",
        "2024-07-25T20:05:54Z",
        "2024-07-25T17:05:54-03:00[America/Sao_Paulo]",
        "25/07/2024 17:05:54",
        "25/07/2024 às 17:05:54",
        "25-07-2024 17:05:54",
        "25.07.2024 17:05:54",
        " 25/07/2024  17:05:54 ",
        "20240725170554",
        "20240725170554000",
        1721937954000,
        1721937954,
        "1721937954000",
        [2024, 7, 25, 17, 5, 54],
        [2024, 7, 25, 17, 5, 54, 0],
    ],
)
def test_a_time_is_read_in_every_form(written: Any) -> None:
    assert timestamp(written) == AT


def test_a_date_alone_is_the_days_beginning_in_sao_paulo() -> None:
    for written in ("25/07/2024", "2024-07-25", "20240725", [2024, 7, 25]):
        assert timestamp(written) == datetime(2024, 7, 25, 3, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, True, 5, "", "x", "31/02/2024", "99/99/9999", [2024], ["x"], float("nan")])
def test_what_is_no_time_is_none(written: Any) -> None:
    assert timestamp(written) is None


@given(st.none() | st.integers() | st.floats() | st.text(max_size=40) | st.lists(st.integers() | st.text(), max_size=8))
def test_any_value_is_a_time_or_none(value: Any) -> None:
    found = timestamp(value)
    assert found is None or found.tzinfo is UTC
    money(value)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1.234,56", "1234.56"),
        ("R$ 1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1234.5", "1234.50"),
        ("1234,5", "1234.50"),
        ("1.234.567", "1234567.00"),
        ("0", "0.00"),
        (1234.56, "1234.56"),
        (-3, "-3.00"),
    ],
)
def test_an_amount_is_read_in_every_form(written: Any, amount: str) -> None:
    assert money(written) == Decimal(amount)


@pytest.mark.parametrize(
    ("value", "level", "word"),
    [
        (0, 0, "PUBLICO"),
        ("0", 0, "PUBLICO"),
        ("PUBLICO", 0, "PUBLICO"),
        ("Público", 0, "PUBLICO"),
        ("SEGREDO_JUSTICA", 1, "SEGREDO_JUSTICA"),
        ("Segredo de Justiça", 1, "SEGREDO_JUSTICA"),
        ("SIGILO_MEDIO", 3, "SIGILO_MEDIO"),
        (5, 5, "SIGILO_ABSOLUTO"),
        (9, 5, "SIGILO_ABSOLUTO"),
        (-1, 5, "SIGILO_ABSOLUTO"),
        (True, 5, "SIGILO_ABSOLUTO"),
        ("RESTRITO", 5, "RESTRITO"),
        ({"codigo": 2}, 2, "SIGILO_MINIMO"),
        ({"nome": "PUBLICO", "codigo": 4}, 4, "SIGILO_INTENSO"),
        ({"x": 1}, 5, "SIGILO_ABSOLUTO"),
        ([], 5, "SIGILO_ABSOLUTO"),
        (None, None, None),
        (" ", None, None),
        ({}, None, None),
    ],
)
def test_a_level_is_read_as_number_or_word_and_the_unknown_is_the_highest(
    value: Any, level: int | None, word: str | None
) -> None:
    assert (level_of(value), word_of(value)) == (level, word)


def test_the_strictest_of_several_places_wins() -> None:
    assert strictest([0, None, "SEGREDO_JUSTICA", "0"]) == 1
    assert strictest([None, None]) is None
    assert strictest([0, "???"]) == 5
