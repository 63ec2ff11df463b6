"""The case of ``autos demo``: twelve documents, of which three are as odd as real ones; and what is to come of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from autos.local.pdpj.control import (
    ContentKind,
    ExpectedDocument,
    ExplicitDocument,
    Failure,
    FailureKind,
    Oddity,
    OddityKind,
    SimulatorControl,
)

NUMBER: Final = "1000145-91.2023.8.26.0597"
_DOCUMENTS: Final = 12
_SIZE: Final = 100_000
_SIGNED, _TEXT_ONLY, _REFUSED = 4, 6, 8
_SIGNATURE_TYPE: Final = "application/pkcs7-signature"


def put(source: SimulatorControl) -> list[ExpectedDocument]:
    """Set the case at the source; its documents as a correct copy has them."""
    documents = [ExplicitDocument(size=_SIZE) for _ in range(_DOCUMENTS)]
    documents[_SIGNED] = ExplicitDocument(size=_SIZE, kind=ContentKind.P7S)
    source.put_case(
        NUMBER,
        documents=documents,
        oddities=[Oddity(kind=OddityKind.TEXT_ONLY, document=_TEXT_ONLY)],
        failures=[Failure(kind=FailureKind.NO_ACCESS_403, document=_REFUSED)],
    )
    return source.case(NUMBER).documents


def faults(delivered: Sequence[dict[str, Any]], expected: Iterable[ExpectedDocument]) -> list[str]:
    """What is not as it has to be in the documents of the webhook."""
    by_id = {document["id"]: document for document in delivered}
    found = []
    for wanted in expected:
        document = by_id.pop(wanted.document_id, {})
        if wanted.index == _REFUSED:
            right = (document.get("status"), document.get("error_code")) == ("failed", "no_access")
        else:
            right = (document.get("status"), document.get("sha256")) == ("available", wanted.sha256)
            right = right and document["rendition"] == wanted.rendition
            right = right and (wanted.index != _SIGNED or document["content_type"] == _SIGNATURE_TYPE)
        if not right:
            found.append(
                f"document {wanted.document_id} is {document.get('status', 'missing')}, and not as it has to be"
            )
    return found + [f"document {document_id} is none of the source's" for document_id in by_id]


def explained(documents: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each document that is not a plain file."""
    lines = []
    for document in documents:
        shown = f"{document['position']:>2} {document['name']}"
        if document["status"] == "failed":
            lines.append(f"  failed     {shown}: {document['error_message']} ({document['error_code']})")
        elif document["rendition"] == "text":
            lines.append(f"  text only  {shown}: the source has no file of it, so its text was fetched")
        elif document["content_type"] == _SIGNATURE_TYPE:
            lines.append(f"  .p7s       {shown}: a signature that holds what it signs, kept as it came")
    return lines
