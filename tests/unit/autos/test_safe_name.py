"""File names that the command saves documents under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autos.cases import safe_name

ID = "1a2b3c4d-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("Petição inicial", "application/pdf", "0007 Petição inicial 1a2b3c4d.pdf"),
        ("ata.pdf", "application/pdf", "0007 ata 1a2b3c4d.pdf"),
        ("../../etc/passwd", "text/plain; charset=utf-8", "0007 etc passwd 1a2b3c4d.txt"),
        ("", None, "0007 document 1a2b3c4d"),
        ("Audiência", "video/webm", "0007 Audiência 1a2b3c4d.webm"),
        ("Oitiva", "video/x-ms-wmv", "0007 Oitiva 1a2b3c4d.wmv"),
        ("Ligação", "audio/amr", "0007 Ligação 1a2b3c4d.amr"),
        ("foto.JPEG", "image/jpeg", "0007 foto 1a2b3c4d.JPEG"),
        ("planta.dwg", "application/octet-stream", "0007 planta 1a2b3c4d.dwg"),
    ],
)
def test_names_keep_accents_and_lose_what_file_systems_refuse(
    name: str, content_type: str | None, expected: str
) -> None:
    assert safe_name(7, name, ID, content_type) == expected


@given(st.text(max_size=400))
def test_any_name_is_one_safe_path_component(name: str) -> None:
    made = safe_name(1, name, ID, "application/pdf")
    assert "/" not in made
    assert "\\" not in made
    assert "\0" not in made
    assert made.endswith("1a2b3c4d.pdf")
    assert len(made) < 150
