"""File names that the command saves documents under."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autos.saving import safe_name

ID = "1a2b3c4d-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("name", "disposition", "expected"),
    [
        ("Petição inicial", 'attachment; filename="Peticao inicial.pdf"', "0007 Petição inicial 1a2b3c4d.pdf"),
        ("ata.pdf", 'attachment; filename="ata.pdf"', "0007 ata 1a2b3c4d.pdf"),
        ("../../etc/passwd", 'attachment; filename="passwd.txt"', "0007 etc passwd 1a2b3c4d.txt"),
        ("", None, "0007 document 1a2b3c4d"),
        ("", "attachment", "0007 document 1a2b3c4d"),
        ("Certidão", "attachment; filename*=UTF-8''Certid%C3%A3o.p7s", "0007 Certidão 1a2b3c4d.p7s"),
        ("Certidão", "attachment; filename*=x-unknown''Certid%C3%A3o.p7s", "0007 Certidão 1a2b3c4d.p7s"),
        ("foto.JPEG", 'attachment; filename="foto.JPEG"', "0007 foto 1a2b3c4d.JPEG"),
        ("planta.dwg", 'attachment; filename="planta.dwg"', "0007 planta 1a2b3c4d.dwg"),
        ("Oitiva", 'attachment; filename="../../x.sh/.."', "0007 Oitiva 1a2b3c4d"),
    ],
)
def test_names_keep_accents_and_lose_what_file_systems_refuse(
    name: str, disposition: str | None, expected: str
) -> None:
    assert safe_name(7, name, ID, disposition, None) == expected


def test_a_link_that_names_no_file_gives_the_extension_of_the_type() -> None:
    assert safe_name(7, "Laudo", ID, "attachment", "application/pdf") == "0007 Laudo 1a2b3c4d.pdf"
    assert safe_name(7, "Laudo", ID, "attachment", "text/html; charset=utf-8") == "0007 Laudo 1a2b3c4d.html"


@given(st.text(max_size=400))
def test_any_name_is_one_safe_path_component(name: str) -> None:
    made = safe_name(1, name, ID, 'attachment; filename="a.pdf"', None)
    assert "/" not in made
    assert "\\" not in made
    assert "\0" not in made
    assert made.endswith("1a2b3c4d.pdf")
    assert len(made) < 150


@given(st.text(max_size=200).filter(lambda text: "\n" not in text and "\r" not in text))
def test_any_content_disposition_gives_one_safe_path_component(disposition: str) -> None:
    made = safe_name(1, "ata", ID, disposition, None)
    assert re.fullmatch(r"0001 ata 1a2b3c4d(\.[A-Za-z0-9]{1,5})?", made)
