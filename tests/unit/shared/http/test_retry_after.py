"""Retry-After: seconds, dates, nonsense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.retry_policy import RetryPolicy
from shared.http.retry_after import parse_retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("999999999", 999999999.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 12:01:30 GMT", 90.0),
        ("Mon Nov 23 12:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:00 -0100", 3600.0),
        ("9" * 12, 999_999_999_999.0),
        ("9" * 13, None),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_606_865_599.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 251_606_951_939.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:01:30 GMT", None),
        ("９", None),
    ],
)
def test_what_the_header_asks_for(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_whatever_it_asks_for_the_next_attempt_is_within_six_hours() -> None:
    policy = RetryPolicy()
    for value in ("9" * 12, "Fri, 31 Dec 9999 23:59:59 -2359"):
        due = policy.due(1, NOW, retry_after=parse_retry_after(value, NOW), draw=0.5)
        assert due == NOW + timedelta(hours=6)


@given(st.text(max_size=60))
def test_no_text_breaks_it(value: str) -> None:
    found = parse_retry_after(value, NOW)
    assert found is None or found >= 0
