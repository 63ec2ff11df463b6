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
    ContentKind.HTML_TURNED: b'<?xml version="1.0" encoding="ISO-8859-1"?>',
    ContentKind.PNG: b"\x89PNG\r\n\x1a\n",
    ContentKind.P7S: b"\x30\x84",
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


def test_turned_html_is_in_utf_8_and_says_latin_1_of_itself() -> None:
    text = b"".join(FACTORY.body(NUMBER, document(ContentKind.HTML_TURNED, 5_000)).segments()).decode()
    assert "Decisão" in text
    assert 'encoding="ISO-8859-1"' in text and 'charset="iso-8859-1"' in text


@pytest.mark.parametrize("size", [1_500, 5_000, 70_000])
def test_a_signature_is_readable_pkcs_7_and_holds_a_whole_pdf(size: int) -> None:
    content = b"".join(FACTORY.body(NUMBER, document(ContentKind.P7S, size)).segments())
    depth, at = [], 0
    while content[at] != 0x04:  # down to the octets, each length as the one that is left
        length = int.from_bytes(content[at + 2 : at + 6], "big")
        assert at + 6 + length <= size
        inside = content[at] & 0x20
        depth.append(content[at])
        at += 6 if inside and content[at] != 0x31 else 6 + length
        while content[at] in (0x02, 0x06):
            at += 2 + content[at + 1]
    octets = content[at + 6 : at + 6 + int.from_bytes(content[at + 2 : at + 6], "big")]
    assert octets.startswith(b"%PDF-") and octets.endswith(b"%%EOF\n")
    assert depth == [0x30, 0xA0, 0x30, 0x31, 0x30, 0xA0]


def test_another_version_of_a_document_has_other_bytes() -> None:
    first = document(ContentKind.PDF, 9_000)
    assert FACTORY.body(NUMBER, first).sha256() != FACTORY.body(NUMBER, replace(first, version=1)).sha256()


def test_a_body_of_300_megabytes_holds_nothing() -> None:
    body = FACTORY.body(NUMBER, document(ContentKind.MP4, 300_000_000))
    assert len(body) == 300_000_000
    assert len(body.head) + len(body.tail) < 2_000


def test_a_known_sum_never_changes() -> None:
    known = FACTORY.body(NUMBER, document(ContentKind.PDF, 100_000, "11111111-2222-4333-8444-555555555555"))
    assert known.sha256() == "4a28ebc643fd0f44e132fb5109713830ca94dc03d1f28ba8b59987f616d97266"
