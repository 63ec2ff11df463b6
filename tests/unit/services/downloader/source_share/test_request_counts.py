"""Requests are counted by hour, court and outcome, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.downloader.source_share.request_counts import (
    NO_BUCKET,
    OTHER_COURT,
    CountKey,
    RequestCounts,
    court_of,
)
from shared.domain.source_state import SUCCEEDED
from sources.errors import NoAccess, SourceThrottled

CASE = "1000145-91.2023.8.26.0597"
HOUR = datetime(2026, 3, 2, 14, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = HOUR + timedelta(minutes=59)

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize(
    ("case", "court"),
    [(CASE, "8.26"), ("10001459120238260597", "8.26"), ("", OTHER_COURT), ("x" * 20, OTHER_COURT)],
)
def test_the_court_is_part_of_the_number(case: str, court: str) -> None:
    assert court_of(case) == court


def test_what_succeeds_has_its_time_and_what_fails_its_code() -> None:
    time = Time()
    counts = RequestCounts(time)
    for _ in range(3):
        counts.ended(CASE, None, 0.2)
    counts.ended(CASE, SourceThrottled(), 0.2)
    time.now += timedelta(minutes=2)
    counts.ended(CASE, NoAccess(), 0.2)
    assert counts.take() == {
        CountKey(HOUR, "8.26", SUCCEEDED, 2): 3,
        CountKey(HOUR, "8.26", "source_throttled", NO_BUCKET): 1,
        CountKey(HOUR + timedelta(hours=1), "8.26", "no_access", NO_BUCKET): 1,
    }
    assert counts.take() == {}


def test_what_could_not_be_written_is_counted_with_what_came_meanwhile() -> None:
    counts = RequestCounts(Time())
    counts.ended(CASE, None, 0.2)
    taken = counts.take()
    counts.ended(CASE, None, 0.2)
    counts.give_back(taken)
    assert list(counts.take().values()) == [2]


def test_numbers_of_more_courts_than_there_are_share_one_row() -> None:
    counts = RequestCounts(Time())
    for segment in range(1, 10):
        for court in range(100):
            counts.ended(f"0000000-00.2024.{segment}.{court:02d}.0000", None, 0.2)
    taken = counts.take()
    assert len(taken) == 101
    assert taken[CountKey(HOUR, OTHER_COURT, SUCCEEDED, 2)] == 800
