"""manifest.json of ``autos fetch``: every document of the case, the file that it has, or why it has none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autos.cases import _numbers_in
from autos.fetch_reports import manifest, report_words, seal_of

VIEW: dict[str, Any] = {
    "process_number": "1000145-91.2023.8.26.0597",
    "job_id": "3f6c1d2e-8a4b-4c5d-9e6f-7a8b9c0d1e2f",
    "status": "partial",
    "total_documents": 4,
    "completed_documents": 3,
    "failed_documents": 1,
    "error_code": None,
    "error_message": None,
}
AT = datetime(2026, 3, 2, 14, 30, 15, tzinfo=UTC)


def document(nth: int, status: str = "available", **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{nth}",
        "source_id": f"source-{nth}",
        "position": nth,
        "name": f"Petição {nth}",
        "type": "Petição",
        "size": 10 * nth,
        "sha256": f"{nth:064x}",
        "content_type": "application/pdf",
        "secrecy_level": "PUBLICO",
        "status": status,
        "error_code": None,
        "error_message": None,
        **more,
    }


def test_the_manifest_says_what_each_document_is_and_why_one_is_missing() -> None:
    documents = [
        document(1),
        document(2, "failed", error_code="no_access", error_message="the account has no access"),
        document(3),
        document(4),
    ]
    made = manifest(
        *(VIEW, documents, {"id-1": "0001 Petição 1.pdf"}, {"id-3": "no answer"}), filtered=False, made_at=AT
    )
    assert {name: made[name] for name in VIEW} == VIEW
    assert made["made_at"] == "2026-03-02T14:30:15Z"
    assert [one["number"] for one in made["documents"]] == [1, 2, 3, 4]
    assert [one["file"] for one in made["documents"]] == ["0001 Petição 1.pdf", None, None, None]
    first, refused, lost, late = (one["reason"] for one in made["documents"])
    assert first is None
    assert refused == "no_access: the account has no access"
    assert lost == "no answer"
    assert "run the command again" in late
    assert made["documents"][0]["source_id"] == "source-1"
    assert made["documents"][0]["sha256"] == f"{1:064x}"


def test_what_was_not_asked_for_says_so() -> None:
    made = manifest(VIEW, [document(1), document(2)], {"id-2": "0002 x.pdf"}, {}, filtered=True, made_at=AT)
    assert [one["reason"] for one in made["documents"]] == ["not asked for (--since)", None]


@pytest.mark.parametrize(
    "content",
    [
        "número,cliente\n1000145-91.2023.8.26.0597,x\n0801429-56.2022.4.05.8201,\n".encode(),
        "\ufeffnúmero\r\n1000145-91.2023.8.26.0597\r\n\r\n0801429-56.2022.4.05.8201\r\n".encode(),
        # As spreadsheets save it in Brazil.
        'número;cliente\r\n"1000145-91.2023.8.26.0597";"João; e outros"\r\n0801429-56.2022.4.05.8201;y\r\n'.encode(
            "cp1252"
        ),
        b"1000145-91.2023.8.26.0597\tx\n0801429-56.2022.4.05.8201\ty\n",
    ],
)
def test_numbers_come_from_the_first_column_however_the_file_was_saved(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cases.csv"
    file.write_bytes(content)
    assert _numbers_in(file) == ["1000145-91.2023.8.26.0597", "0801429-56.2022.4.05.8201"]


def test_what_is_sealed_is_marked() -> None:
    sealed = {**VIEW, "sealed": True}
    documents = [document(1), document(2, secrecy_level="SIGILO_MEDIO")]
    found = manifest(sealed, documents, {}, {}, filtered=False, made_at=AT)
    assert found["sealed"] is True
    assert [one["secrecy_level"] for one in found["documents"]] == ["PUBLICO", "SIGILO_MEDIO"]
    assert [seal_of(one) for one in documents] == ["", " (sealed)"]
    assert next(report_words(sealed, [], None, None)).startswith(f"{VIEW['process_number']} (sealed): partial")
