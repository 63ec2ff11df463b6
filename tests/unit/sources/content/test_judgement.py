"""The listing held against the bytes."""

from __future__ import annotations

import pytest

from sources.content.judgement import Judgement, Listed, judge
from sources.errors import ShortBody

END = b"startxref\n0\n%%EOF\n"
PDF = "application/pdf"


@pytest.mark.parametrize(
    ("media_type", "received", "tail", "listed", "expected"),
    [
        (PDF, 100, END, Listed(PDF, 100), Judgement()),
        (PDF, 100, END, Listed(), Judgement()),
        (PDF, 100, END, Listed(PDF, 122_912), Judgement(("size_differs",))),
        (PDF, 100, b"cut", Listed(PDF), Judgement(("pdf_without_end",), doubtful=True)),
        (PDF, 100, b"cut", Listed(PDF, 100), Judgement(("pdf_without_end",), doubtful=True)),
        (PDF, 100, b"cut", Listed(PDF, 90), Judgement(("pdf_without_end", "size_differs"), doubtful=True)),
        ("image/png", 100, b"", Listed(PDF, 100), Judgement(("type_differs",), doubtful=True)),
        ("text/html", 9, b"", Listed("application/pdf", 100), Judgement(("type_differs", "size_differs"), True)),
        ("application/pkcs7-signature", 9, b"", Listed(PDF), Judgement(("type_differs",), doubtful=True)),
        ("application/octet-stream", 9, b"", Listed(PDF), Judgement(("type_differs",), doubtful=True)),
        ("application/octet-stream", 9, b"", Listed("video/x-strange"), Judgement()),
        ("video/x-ms-asf", 9, b"", Listed("video/x-ms-wmv"), Judgement()),
        ("application/xhtml+xml", 9, b"", Listed("text/html"), Judgement()),
        ("text/plain", 9, b"", Listed(PDF, 100, "text"), Judgement()),
        ("image/png", 9, b"", Listed("application/octet-stream"), Judgement()),
    ],
)
def test_what_is_odd_is_told(media_type: str, received: int, tail: bytes, listed: Listed, expected: Judgement) -> None:
    assert judge(media_type, received, tail, listed) == expected


def test_a_size_and_a_missing_end_together_are_a_short_body() -> None:
    with pytest.raises(ShortBody):
        judge(PDF, 50, b"cut", Listed(PDF, 100))
