"""What bytes are, and that the portal's page is never taken for a document."""

from __future__ import annotations

import io
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.recognise import HEAD_BYTES, Content, ContentInspector
from sources.content.signatures import sniff
from sources.errors import EmptyBody, NotADocument

SHELL = b"<!doctype html><html><head><title>x</title></head><body><app-root></app-root></body></html>"


def stored_zip(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def inspect(declared: str | None, *pieces: bytes) -> Content:
    inspector = ContentInspector(declared)
    for piece in pieces:
        inspector.feed(piece)
    return inspector.result()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\xef\xbb\xbf\r\n%PDF-1.4", "application/pdf"),
        (b"\x00\x01 garbage before %PDF-1.4", None),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0..", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"II*\x00..", "image/tiff"),
        (b"MM\x00*..", "image/tiff"),
        (b"\x00\x00\x00\x18ftypisom\x00", "video/mp4"),
        (b"\x00\x00\x00\x18ftypqt  \x00", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypM4A \x00", "audio/mp4"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\x00\x00", "audio/mpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"OggS\x00", "audio/ogg"),
        (b"PK\x03\x04\x14\x00\x00\x00", "application/zip"),
        (stored_zip(mimetype=b"application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text"),
        (
            stored_zip(**{"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (stored_zip(**{"contrato.pdf": b"%PDF-1.4", "word/x": b""}), "application/zip"),
        (b"Certid\xc3\xa3o: o arquivo %PDF-1.4 juntado", "text/plain"),
        (b"<html>%PDF-1.4", "text/html"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c00"), "video/x-ms-asf"),
        (b"#!AMR\n\x00", "audio/amr"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x01\xba\x44", "video/mpeg"),
        (b"{\\rtf1\\ansi", "application/rtf"),
        (bytes.fromhex("3080 06092a864886f70d010702 a080"), "application/pkcs7-signature"),
        (bytes.fromhex("30820a1b06092a864886f70d010702a0820a0c"), "application/pkcs7-signature"),
        (b"-----BEGIN PKCS7-----\nMII", "application/pkcs7-signature"),
        (b"<?xml version='1.0'?><nota/>", "application/xml"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'>", "text/html"),
        (b"\xef\xbb\xbf  <!-- x --><HTML>", "text/html"),
        ("\ufeff<html>".encode("utf-16-le"), "text/html"),
        ("Certidão".encode("latin-1"), "text/plain"),
        (b"\x00\x01\x02\x03", None),
        (b"", None),
    ],
)
def test_types_by_their_first_bytes(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("declared", "body", "content_type", "contradicted"),
    [
        ("application/pdf", b"%PDF-1.7", "application/pdf", False),
        ("application/octet-stream", b"%PDF-1.7", "application/pdf", False),
        (None, b"%PDF-1.7", "application/pdf", False),
        ("nonsense", b"%PDF-1.7", "application/pdf", False),
        ("text/html", b"%PDF-1.7", "application/pdf", True),
        ("application/pdf", b"<html><p>x", "text/html", True),
        ("application/pdf", b"\x00\x01", "application/octet-stream", True),
        ("image/jpg", b"\xff\xd8\xff\xe0", "image/jpeg", False),
        ("application/x-pkcs7-signature", b"-----BEGIN PKCS7-----", "application/pkcs7-signature", False),
        ("application/x-strange", b"\x00\x01", "application/x-strange", False),
        ("text/html; charset=ISO-8859-1", b"<html>", "text/html; charset=iso-8859-1", False),
        ("TEXT/HTML;CHARSET=\"utf-8\"", b"<p>x</p>", "text/html; charset=utf-8", False),
        ("text/html", b'<html><meta charset="windows-1252">', "text/html; charset=windows-1252", False),
        ("text/html", b"a fragment without tags", "text/html", False),
        ("application/vnd.ms-word.x", b"PK\x03\x04" + b"." * 40, "application/vnd.ms-word.x", False),
        ("application/msword", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword", False),
        ("audio/mp4", b"\x00\x00\x00\x18ftypisom\x00", "audio/mp4", False),
    ],
)  # fmt: skip
def test_declared_type_is_checked(declared: str | None, body: bytes, content_type: str, contradicted: bool) -> None:
    content = inspect(declared, body)
    assert (content.content_type, content.contradicted) == (content_type, contradicted)


@pytest.mark.parametrize(
    "declared", ["text/html", "text/html; charset=utf-8", "application/pdf", None, "application/octet-stream"]
)
@pytest.mark.parametrize(
    "page",
    [
        SHELL,
        SHELL.upper(),
        b"\xef\xbb\xbf" + SHELL,
        ("\ufeff" + SHELL.decode()).encode("utf-16-le"),
        b"<html><body ng-version='17'>",
        b"<html><head><style>" + b"a{}" * 15_000 + b"</style></head><app-root>",
    ],
)  # fmt: skip
def test_shell_page_is_refused_whatever_it_is_called(declared: str | None, page: bytes) -> None:
    with pytest.raises(NotADocument):
        inspect(declared, *(page[at : at + 1000] for at in range(0, len(page), 1000)))


def test_words_of_the_shell_page_in_another_type_are_just_words() -> None:
    assert inspect("application/pdf", b"%PDF-1.7 <app-root> ng-version=1").media_type == "application/pdf"
    assert inspect("text/html", b"<html><p>o elemento app-root e ng-version").media_type == "text/html"


def test_empty_body_is_refused() -> None:
    with pytest.raises(EmptyBody):
        inspect("application/pdf")
    with pytest.raises(EmptyBody):
        inspect("text/html", b"", b"")


def test_little_is_enough_but_a_page_is_read_further() -> None:
    pdf, page = ContentInspector("application/pdf"), ContentInspector("text/html")
    pdf.feed(b"%PDF-1.7" + b"\x00" * HEAD_BYTES)
    page.feed(b"<html>" + b" " * HEAD_BYTES)
    assert pdf.enough
    assert not page.enough
    page.feed(b" " * 64 * 1024)
    assert page.enough


def test_hostile_comments_do_not_cost_time() -> None:
    # Of this thread's own: what else the machine does is no cost of ours.
    began = time.thread_time()
    assert sniff(b"<!---->" * 580 + b"\x00") == "text/plain"
    assert time.thread_time() - began < 1


@given(st.binary(max_size=3000), st.none() | st.text(max_size=40))
def test_any_body_gives_a_type_or_our_own_error(body: bytes, declared: str | None) -> None:
    try:
        content = inspect(declared, body)
    except (EmptyBody, NotADocument):
        return
    assert content.content_type.isascii()
    assert "\n" not in content.content_type
    assert "/" in content.media_type
