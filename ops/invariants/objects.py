"""The rules of one available document and its object in S3. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.invariants.findings import Mismatch, Rule
from shared.storage.store import object_key


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """An available document as ``progress.documents`` has it."""

    process_number: str
    document_id: str
    object_key: str | None
    size: int | None
    sha256: str | None


def right_key(document: StoredDocument) -> str:
    """Where its object belongs: under its own key; beside it, by its hash, when it took the place of others; or where
    another document of the case has the same bytes.
    """
    own = object_key(document.process_number, document.document_id)
    recorded = document.object_key
    return recorded if recorded is not None and recorded.startswith(own[: -len(document.document_id)]) else own


def judge(
    document: StoredDocument, right_key: str, actual_size: int | None, actual_sha256: str | None = None
) -> Iterator[Mismatch]:
    """What does not match. ``actual_size`` None: there is no such object; ``actual_sha256`` None: not computed."""
    subject = right_key
    named = f"document {document.document_id} of {document.process_number}"
    if document.object_key != right_key:
        yield Mismatch(Rule.OBJECT_KEY, subject, f"{named} is recorded at {document.object_key}, not at {right_key}")
    elif actual_size is None:
        yield Mismatch(Rule.OBJECT_MISSING, subject, f"{named} is available, but S3 has no object {right_key}")
    elif document.size != actual_size:
        words = f"{named} is recorded with {document.size} bytes, its object has {actual_size}"
        yield Mismatch(Rule.OBJECT_SIZE, subject, words)
    elif actual_sha256 is not None and document.sha256 != actual_sha256:
        words = f"{named} is recorded with SHA-256 {document.sha256}, its object has {actual_sha256}"
        yield Mismatch(Rule.OBJECT_HASH, subject, words)
