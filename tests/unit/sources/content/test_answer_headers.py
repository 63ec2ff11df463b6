"""Which headers of an answer are kept with a document: bounded, plain, and nothing that identifies anybody."""

from __future__ import annotations

import httpx
from hypothesis import given
from hypothesis import strategies as st

from sources.content.answer_headers import KEPT, LONGEST_VALUE, kept_headers


def test_what_tells_of_the_bytes_and_the_time_is_kept_and_nothing_else() -> None:
    answer = httpx.Headers(
        {
            "Date": "Mon, 02 Mar 2026 14:30:15 GMT",
            "ETag": '"7"',
            "Last-Modified": "Sun, 01 Mar 2026 00:00:00 GMT",
            "Content-Type": "application/pdf",
            "Content-Disposition": 'attachment; filename="Laudo de Maria.pdf"',
            "Set-Cookie": "session=secret",
            "X-Request-Id": "1",
        }
    )
    assert kept_headers(answer) == (
        "content-type: application/pdf",
        "date: Mon, 02 Mar 2026 14:30:15 GMT",
        'etag: "7"',
        "last-modified: Sun, 01 Mar 2026 00:00:00 GMT",
    )
    assert kept_headers(httpx.Headers()) == ()


def test_a_value_that_is_too_long_or_not_plain_is_left_out_whole() -> None:
    longest = "x" * LONGEST_VALUE
    assert kept_headers(httpx.Headers({"etag": longest})) == (f"etag: {longest}",)
    for value in (longest + "x", "ol\u00e1", "", " ", "a\tb"):
        assert kept_headers(httpx.Headers([(b"etag", value.encode())])) == ()


@given(st.dictionaries(st.sampled_from(KEPT), st.binary(max_size=300)))
def test_what_is_kept_is_bounded_whatever_comes(answer: dict[str, bytes]) -> None:
    kept = kept_headers(httpx.Headers([(name.encode(), value) for name, value in answer.items()]))
    assert len(kept) <= len(KEPT)
    assert all(line.isascii() and line.isprintable() and len(line) <= LONGEST_VALUE + 20 for line in kept)
