"""Bodies: the promised size, the right magic bytes, the same sum however they are cut."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autos.local.pdpj.bodies import BodyFactory
from autos.local.pdpj.control_model import CaseSetting
from autos.local.pdpj.generate import generate
from autos.local.pdpj.model import ContentKind, FiledDocument
from shared.domain.cnj import parse

NUMBER = parse("5000315-75.2025.4.03.6327")
FACTORY = BodyFactory()
DOCUMENT = generate(NUMBER, CaseSetting(documents=1)).documents[0]

MAGIC = {
    ContentKind.PDF: b"%PDF-1.4",
    ContentKind.HTML: b"<!DOCTYPE html>",
    ContentKind.HTML_LATIN1: b"<!DOCTYPE html>",
    ContentKind.JPEG: b"\xff\xd8\xff\xe0",
    ContentKind.PNG: b"\x89PNG\r\n\x1a\n",
}


def document(kind: ContentKind, size: int, filing_id: str = DOCUMENT.filing_id) -> FiledDocument:
    return replace(DOCUMENT, kind=kind, size=size, filing_id=filing_id)


@given(st.sampled_from(ContentKind), st.integers(1, 3_000_000), st.integers(1, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_segments_give_the_promised_size_and_the_sum_of_the_body(kind: ContentKind, size: int, cut: int) -> None:
    body = FACTORY.body(NUMBER, document(kind, size))
    assert len(body) == size
    assert hashlib.sha256(b"".join(body.segments())).hexdigest() == body.sha256()
    assert b"".join(body.segments(limit=cut)) == b"".join(body.segments())[:cut]
    assert all(len(segment) <= 4096 for segment in body.segments(size=4096))


@pytest.mark.parametrize("kind", list(ContentKind))
def test_the_first_bytes_tell_the_type(kind: ContentKind) -> None:
    start = next(iter(FACTORY.body(NUMBER, document(kind, 5_000)).segments()))
    if kind is ContentKind.MP4:
        assert bytes(start[4:12]) == b"ftypisom"
    else:
        assert bytes(start).startswith(MAGIC[kind])


def test_two_filings_have_different_bytes_and_one_filing_has_the_same() -> None:
    one = FACTORY.body(NUMBER, document(ContentKind.PDF, 9_000, "a"))
    other = FACTORY.body(NUMBER, document(ContentKind.PDF, 9_000, "b"))
    assert one.sha256() != other.sha256()
    assert one.sha256() == BodyFactory().body(NUMBER, document(ContentKind.PDF, 9_000, "a")).sha256()


def test_the_cross_reference_table_of_a_pdf_points_at_its_objects() -> None:
    content = b"".join(FACTORY.body(NUMBER, document(ContentKind.PDF, 50_000)).segments())
    start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert content[start:].startswith(b"xref\n0 7\n")
    rows = content[start:].split(b"\n")[3:9]
    for number, row in enumerate(rows, 1):
        assert content[int(row[:10]) :].startswith(b"%d 0 obj" % number)
    assert content.endswith(b"%%EOF\n")


@pytest.mark.parametrize("kind", [ContentKind.HTML, ContentKind.HTML_LATIN1])
def test_html_is_in_the_charset_that_it_names_and_is_no_shell_page(kind: ContentKind) -> None:
    content = b"".join(FACTORY.body(NUMBER, document(kind, 5_000)).segments())
    text = content.decode(kind.content_type.partition("charset=")[2])
    assert "Decisão" in text
    assert text.endswith("--></body></html>\n")
    assert text.count("-->") == 1
    assert "<app-root" not in text and "ng-version=" not in text


def test_a_body_of_300_megabytes_holds_nothing() -> None:
    body = FACTORY.body(NUMBER, document(ContentKind.MP4, 300_000_000))
    assert len(body) == 300_000_000
    assert len(body.head) + len(body.tail) < 2_000


def test_a_known_sum_never_changes() -> None:
    known = FACTORY.body(NUMBER, document(ContentKind.PDF, 100_000, "11111111-2222-4333-8444-555555555555"))
    assert known.sha256() == "4a28ebc643fd0f44e132fb5109713830ca94dc03d1f28ba8b59987f616d97266"
