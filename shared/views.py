"""Rows as the dictionaries that the outside sees: one place for what a case and a document look like.

Used by api (ProcessView, StatusView) and by notifier (the body of a webhook), so that a client reads one shape
(docs/architecture.md, HTTP API). Pure: rows in, JSON-ready values out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.clock import rfc3339

AVAILABLE = "available"


def _moment(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None


def case_view(row: Any) -> dict[str, Any]:
    """The case fields of a ProcessView, from a row of ``catalog.processes`` (or a mapping-like of its columns)."""
    columns = row._mapping
    claim_value = columns["claim_value"]
    return {
        "process_number": columns["process_number"],
        "court": columns["court"],
        "degree": columns["degree"],
        "class": columns["class"],
        "subjects": columns["subjects"],
        "parties": columns["parties"],
        "filed_at": _moment(columns["filed_at"]),
        "claim_value": float(claim_value) if claim_value is not None else None,
        "secrecy_level": columns["secrecy_level"],
        "movements": columns["movements"],
        "fetched_at": _moment(columns["fetched_at"]),
    }


def unknown_case_view(process_number: str) -> dict[str, Any]:
    """The same fields for a case of which the source was never read: only its number is known."""
    return {
        "process_number": process_number,
        "court": None,
        "degree": None,
        "class": None,
        "subjects": [],
        "parties": [],
        "filed_at": None,
        "claim_value": None,
        "secrecy_level": None,
        "movements": [],
        "fetched_at": None,
    }


def document_view(
    row: Any,
    state_row: Any | None,
    *,
    default_status: str,
    link: str | None = None,
    link_expires_at: datetime | None = None,
) -> dict[str, Any]:
    """A DocumentView from a row of ``catalog.documents`` and its row of ``progress.documents``, or None.

    ``default_status`` holds while the projection knows nothing of the document, or knows it only as ``pending``.
    A link is shown for an available document only. What was stored (size, content type) wins over what the source
    announced.
    """
    status = default_status
    if state_row is not None and state_row.status != "pending":
        status = state_row.status
    available = status == AVAILABLE
    failed = status == "failed"
    size, content_type = row.size, row.content_type
    if state_row is not None and available:
        size = state_row.size if state_row.size is not None else size
        content_type = state_row.content_type or content_type
    return {
        "id": row.document_id,
        "name": row.name,
        "type": row.type,
        "sequence": row.sequence,
        "filed_at": _moment(row.filed_at),
        "pages": row.pages,
        "size": size,
        "content_type": content_type,
        "secrecy_level": row.secrecy_level,
        "status": status,
        "download_url": link if available else None,
        "download_url_expires_at": _moment(link_expires_at) if available and link else None,
        "sha256": state_row.sha256 if state_row is not None and available else None,
        "error_code": state_row.error_code if state_row is not None and failed else None,
        "error_message": state_row.error_message if state_row is not None and failed else None,
        "attempts": state_row.attempts if state_row is not None else 0,
        "download_started_at": _moment(state_row.download_started_at) if state_row is not None else None,
        "download_completed_at": _moment(state_row.download_completed_at) if state_row is not None else None,
    }
