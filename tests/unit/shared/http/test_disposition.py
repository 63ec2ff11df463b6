"""File names in and out of Content-Disposition."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.recognise import content_disposition, file_name, parse_content_disposition


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        (
            "Petição inicial",
            "application/pdf",
            "attachment; filename=\"Peticao inicial.pdf\"; filename*=UTF-8''Peti%C3%A7%C3%A3o%20inicial.pdf",
        ),
        ("Laudo.PDF", "application/pdf", 'attachment; filename="Laudo.PDF"'),
        ("foto.jpeg", "image/jpeg", 'attachment; filename="foto.jpeg"'),
        ("Certidão.html", "text/html; charset=utf-8",
         "attachment; filename=\"Certidao.html\"; filename*=UTF-8''Certid%C3%A3o.html"),
        ("文書", "application/pdf", "attachment; filename=\"documento.pdf\"; filename*=UTF-8''%E6%96%87%E6%9B%B8.pdf"),
        ("100%", None, "attachment; filename=\"100_\"; filename*=UTF-8''100%25"),
        ("", "application/pdf", 'attachment; filename="documento.pdf"'),
    ],
)  # fmt: skip
def test_header_for_a_name(name: str, content_type: str | None, expected: str) -> None:
    assert content_disposition(name, content_type) == expected


def test_inline() -> None:
    assert content_disposition("a", "text/plain", inline=True).startswith("inline; ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"b\\c\r\nSet-Cookie: x', "a_b_c__Set-Cookie_ x"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("\u202efdp.exe", "fdp.exe"),
        (" . ", "documento"),
        ("a\x00b", "a_b"),
    ],
)
def test_names_that_would_do_harm(name: str, expected: str) -> None:
    assert file_name(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('inline; filename="a.pdf"', "a.pdf"),
        ("attachment; filename=a.pdf", "a.pdf"),
        ("attachment; filename=\"x\"; filename*=UTF-8''Peti%C3%A7%C3%A3o.pdf", "Petição.pdf"),
        ("attachment; filename*=iso-8859-1'pt'Peti%E7%E3o.pdf; filename=x", "Petição.pdf"),
        ("attachment; filename*=UTF-8''%FF; filename=x.pdf", "x.pdf"),
        ('attachment; filename="PetiÃ§Ã£o.pdf"', "Petição.pdf"),
        ('attachment; filename="a\\"b.pdf"', "a_b.pdf"),
        ('attachment; filename="C:\\\\temp\\\\x.pdf"', "x.pdf"),
        ('attachment; filename="../../x.pdf"', "x.pdf"),
        ("attachment", None),
        ("attachment; filename=", None),
        (None, None),
        ("x" * 10_000, None),
    ],
)
def test_name_from_a_header(value: str | None, expected: str | None) -> None:
    assert parse_content_disposition(value) == expected


@given(st.text(), st.sampled_from([None, "application/pdf", "text/html", "image/jpeg"]))
def test_any_name_survives_the_round(name: str, content_type: str | None) -> None:
    header = content_disposition(name, content_type)
    assert re.fullmatch(r"[ -~]+", header)
    shown = file_name(name, content_type)
    assert parse_content_disposition(header) == shown
    assert len(shown.encode()) <= 240
    assert not re.search(r'[/\\\x00-\x1f"]', shown)


@given(st.text())
def test_any_header_can_be_read(value: str) -> None:
    name = parse_content_disposition(f"attachment; {value}")
    assert name is None or "/" not in name
