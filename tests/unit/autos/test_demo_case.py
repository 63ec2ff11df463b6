"""What the demo says of a document that is not a plain file, and what it takes for wrong."""

from __future__ import annotations

from typing import Any

import pytest

from autos.demo_case import explained, faults
from autos.local.pdpj.control import ExpectedDocument


def expected(index: int) -> ExpectedDocument:
    return ExpectedDocument(
        index=index,
        document_id=f"id-{index}",
        source_id=f"id-{index}",
        filing_id=f"id-{index}",
        name="Despacho",
        size=100,
        content_type="application/pdf",
        sha256=f"sum-{index}",
        rendition="text" if index == 6 else "binary",
    )


def delivered(index: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "id": f"id-{index}",
        "position": index + 1,
        "name": "Despacho",
        "status": "available",
        "content_type": "application/pdf",
        "rendition": "binary",
        "sha256": f"sum-{index}",
        "error_code": None,
        "error_message": None,
    }
    return usual | changes


SIGNED = delivered(4, content_type="application/pkcs7-signature")
TEXT = delivered(6, rendition="text", content_type="text/plain; charset=utf-8")
REFUSED = delivered(8, status="failed", error_code="no_access", error_message="no standing", sha256=None)
WHOLE = [delivered(0), SIGNED, TEXT, REFUSED]


def test_a_case_as_it_has_to_be_has_no_fault_and_a_line_for_each_odd_document() -> None:
    assert faults(WHOLE, map(expected, (0, 4, 6, 8))) == []
    signature, text, refused = explained(WHOLE)
    assert ".p7s" in signature and " 5 Despacho" in signature
    assert "text only" in text and " 7 Despacho" in text
    assert "no standing (no_access)" in refused


@pytest.mark.parametrize(
    "wrong",
    [
        delivered(0, sha256="another"),
        delivered(0, status="failed", error_code="source_error"),
        delivered(4),
        delivered(6),
        delivered(8),
        delivered(8, status="failed", error_code="source_error"),
    ],
)
def test_a_document_that_is_not_as_it_has_to_be_is_a_fault(wrong: dict[str, Any]) -> None:
    documents = [wrong if document["id"] == wrong["id"] else document for document in WHOLE]
    assert len(faults(documents, map(expected, (0, 4, 6, 8)))) == 1


def test_a_document_too_few_or_too_many_is_a_fault() -> None:
    assert "missing" in faults(WHOLE[1:], map(expected, (0, 4, 6, 8)))[0]
    assert "none of the source's" in faults([*WHOLE, delivered(9)], map(expected, (0, 4, 6, 8)))[0]
