"""The rows of ``catalog.processes`` and ``catalog.documents`` that a case is stored as. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.db.case_lists import inline
from shared.domain.case import Case, CaseDocument

_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)


def process_row(case: Case, fetched_at: datetime, source_version: str | None) -> dict[str, Any]:
    """The row of ``catalog.processes`` for a case, by column."""
    movements, parties = inline(case)
    return {
        "process_number": case.process_number,
        "court": case.court,
        "degree": case.degree,
        "class": case.class_,
        "subjects": case.subjects,
        "parties": parties,
        "filed_at": case.filed_at,
        "claim_value": case.claim_value,
        "secrecy_level": case.secrecy_level,
        "movements": movements,
        "movements_total": case.movements_total,
        "parties_total": case.parties_total,
        "left_out": case.left_out,
        "related": case.related,
        "fetched_at": fetched_at,
        "source_version": source_version,
        "source": case.source,
    }


def document_rows(case: Case, fetched_at: datetime) -> Iterator[dict[str, Any]]:
    """The rows of ``catalog.documents`` for a case that was never stored, in its order, by column."""
    for position, document in enumerate(in_order(case.documents), 1):
        yield {
            "process_number": case.process_number,
            "document_id": document.document_id,
            "position": position,
            "name": document.name,
            "type": document.type,
            "type_code": document.type_code,
            "sequence": document.sequence,
            "filed_at": document.filed_at,
            "pages": document.pages,
            "size": document.size,
            "content_type": document.content_type,
            "secrecy_level": document.secrecy_level,
            "source_path": document.source_path,
            "source_id": document.source_id,
            "source": case.source,
            "court": document.court,
            "degree": document.degree,
            "instance": document.instance,
            "source_hash": document.source_hash,
            "rendition": document.rendition,
            "revision": 1,
            "registered_at": fetched_at,
        }


def in_order(documents: Sequence[CaseDocument]) -> list[CaseDocument]:
    """In the order of the case: by filing date, then sequence, over all degrees; what is undated comes last."""
    return sorted(
        documents,
        key=lambda document: (
            document.filed_at is None,
            document.filed_at or _ANY_TIME,
            document.sequence is None,
            document.sequence or 0,
        ),
    )
