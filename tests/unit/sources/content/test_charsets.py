"""The character set that the bytes obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.charsets import CharsetWatch

TEXT = "Decisão: não há prescrição — “ação”."
LATIN = "Decisão: não há prescrição"


def watched(body: bytes, *said: str | None, size: int = 7) -> str | None:
    watch = CharsetWatch(*said)
    for start in range(0, len(body), size):
        watch.feed(body[start : start + size])
    return watch.result()


@pytest.mark.parametrize(
    ("body", "said", "expected"),
    [
        (TEXT.encode(), ["iso-8859-1"], "utf-8"),
        (TEXT.encode(), ["windows-1252", "iso-8859-15"], "utf-8"),
        (TEXT.encode(), [None], "utf-8"),
        (LATIN.encode("latin-1"), ["utf-8"], "iso-8859-1"),
        (LATIN.encode("latin-1"), ["utf-8", "iso-8859-1"], "iso-8859-1"),
        (LATIN.encode("latin-1"), ["utf-8", "windows-1252"], "windows-1252"),
        (LATIN.encode("latin-1"), ["nonsense"], "iso-8859-1"),
        (LATIN.encode("latin-1"), ["base64"], "iso-8859-1"),
        (TEXT.encode("cp1252"), ["utf-8"], "windows-1252"),
        (TEXT.encode("cp1252"), [], "windows-1252"),
        (b"ASCII alone", ["utf-8"], "utf-8"),
        (b"ASCII alone", ["iso-8859-1"], "iso-8859-1"),
        (b"ASCII alone", [], None),
        (b"", ["utf-8"], "utf-8"),
        (b"\xef\xbb\xbf" + TEXT.encode(), ["iso-8859-1"], "utf-8"),
        (TEXT.encode("utf-16"), ["utf-8"], "utf-16"),
        (TEXT.encode() * 30 + b"\xff", ["utf-8"], "utf-8"),
        (b"x" * 100_000 + LATIN.encode("latin-1"), ["utf-8"], "iso-8859-1"),
        (b"x" * 100_000 + TEXT.encode(), ["iso-8859-1"], "utf-8"),
    ],
)
def test_bytes_win_over_words(body: bytes, said: list[str | None], expected: str | None) -> None:
    assert watched(body, *said) == expected
    assert watched(body, *said, size=len(body) or 1) == expected


@given(st.text(min_size=1), st.integers(1, 9))
def test_valid_utf8_is_utf8_however_it_is_cut(text: str, size: int) -> None:
    body = text.encode("utf-8", "ignore")
    if not body.isascii() and not body.startswith(b"\xef\xbb\xbf"):
        assert watched(body, "iso-8859-1", size=size) == "utf-8"


@given(st.binary(), st.lists(st.text(max_size=12), max_size=2))
def test_any_bytes_and_any_words_give_a_name_or_none(body: bytes, said: list[str]) -> None:
    found = watched(body, *said)
    assert found is None or isinstance(found, str)
