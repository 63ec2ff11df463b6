"""Cursors of lists come back, and what is no cursor is a problem."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.http import cursors
from services.api.http.problems import InvalidCursor


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_cursors_come_back(moment: datetime, identity: object) -> None:
    cursor = cursors.encode(moment, str(identity))
    assert cursors.decode(cursor) == cursors.decode_uuid(cursor) == (moment, str(identity))


@given(st.text(max_size=60))
def test_a_wrong_cursor_is_a_problem(text: str) -> None:
    try:
        cursors.decode(text)
    except InvalidCursor as problem:
        assert problem.status == 422


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-01-01T00:00:00"])
def test_a_cursor_beside_the_calendar_is_a_problem(moment: str) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment}|0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55".encode()).decode()
    with pytest.raises(InvalidCursor):
        cursors.decode(cursor)


@pytest.mark.parametrize("identity", ["1000145-91.2023.8.26.0597", "abc", "urn:uuid:0b9c4f3e"])
def test_a_cursor_of_another_list_is_none_of_one_with_uuids(identity: str) -> None:
    cursor = cursors.encode(datetime(2026, 3, 2, tzinfo=UTC), identity)
    with pytest.raises(InvalidCursor):
        cursors.decode_uuid(cursor)
