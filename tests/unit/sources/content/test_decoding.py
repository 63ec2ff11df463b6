"""Content codings: undone where the bytes obey them, bounded, and nothing where the word names none."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.decoding import Decoder, coding_of
from sources.errors import DocumentTooLarge, ShortBody, SourceError, UnexpectedAnswer

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 200 + b"%%EOF"


def bare(body: bytes) -> bytes:
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(body) + made.flush()


def decoded(coding: str, body: bytes, size: int = 1000) -> bytes:
    decoder = Decoder(coding)
    out = [piece for start in range(0, len(body), size) for piece in decoder.feed(body[start : start + size])]
    return b"".join([*out, *decoder.finish()])


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (None, ""),
        ("", ""),
        ("identity", ""),
        ("UTF-8", ""),
        ("none", ""),
        ("binary", ""),
        ("x-gzip", "gzip"),
        (" GZIP ", "gzip"),
        ("identity, gzip", "gzip"),
        ("deflate", "deflate"),
        ("br", "br"),
        ("gzip, br", "gzip,br"),
    ],
)
def test_a_word_that_names_no_coding_means_nothing(value: str | None, coding: str) -> None:
    assert coding_of(value) == coding


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PDF)),
        ("gzip", gzip.compress(PDF[:500]) + gzip.compress(PDF[500:])),
        ("gzip", gzip.compress(PDF) + bytes(20)),
        ("deflate", zlib.compress(PDF)),
        ("deflate", bare(PDF)),
        ("gzip", PDF),
        ("deflate", PDF),
        ("br", PDF),
        ("gzip,br", PDF),
    ],
)
def test_a_coding_is_undone_where_the_bytes_obey_it(coding: str, body: bytes, size: int) -> None:
    assert decoded(coding, body, size) == PDF


def test_a_compressed_body_that_ends_early_is_short() -> None:
    for body in (gzip.compress(PDF)[:-9], zlib.compress(PDF)[:-5]):
        with pytest.raises(ShortBody):
            decoded("gzip" if body[:1] == b"\x1f" else "deflate", body)


def test_a_coding_that_is_not_spoken_or_broken_is_no_document() -> None:
    for coding, body in (("br", b"\x8b\x02\x80abc"), ("gzip", gzip.compress(PDF)[:20] + b"\x00" * 50)):
        with pytest.raises(UnexpectedAnswer):
            decoded(coding, body)


def test_what_grows_beyond_measure_is_refused_before_it_is_held() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    decoder, held = Decoder("gzip"), 0

    def grow() -> None:
        nonlocal held
        for piece in decoder.feed(bomb):
            assert len(piece) <= 64 * 1024
            held += len(piece)

    with pytest.raises(DocumentTooLarge):
        grow()
    assert held <= 16 * 1024 * 1024


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br"]), st.integers(1, 50))
def test_any_bytes_end_in_bytes_or_our_own_error(body: bytes, coding: str, size: int) -> None:
    with suppress(SourceError):
        decoded(coding, body, size)
