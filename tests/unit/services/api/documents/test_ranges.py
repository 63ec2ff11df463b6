"""The Range header: one range of bytes, the whole, or one that cannot be satisfied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.documents.ranges import ByteRange, NotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=90-", ByteRange(90, 100)),
        ("bytes=-10", ByteRange(90, 100)),
        ("bytes=-1000", ByteRange(0, 100)),
        ("bytes=50-1000", ByteRange(50, 100)),
        ("Bytes = 1-2", ByteRange(1, 3)),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=-", None),
    ],
)
def test_ranges(header: str | None, expected: ByteRange | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        parse_range(header, 100)


@given(st.text(max_size=40), st.integers(0, 1000))
def test_any_range_header_is_a_range_within_or_none(header: str, size: int) -> None:
    try:
        wanted = parse_range(header, size)
    except NotSatisfiable:
        return
    assert wanted is None or 0 <= wanted.start < wanted.end <= size
