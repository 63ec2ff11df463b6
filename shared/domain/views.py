"""Rows as the dictionaries that the outside sees: one place for what a case and a document look like.

Used by api (ProcessView, StatusView) and by notifier (the body of a webhook), so that a client reads one shape
(docs/reference/http-api.md, "What a case looks like"). Pure: rows in, JSON-ready values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import orjson

from shared.clock import rfc3339, rfc3339_or_none
from shared.domain.statuses import DocumentStatus

OUTDATED = "outdated"
"""The warning of a document whose listing has changed since its bytes were fetched."""

MOST_DOCUMENTS: Final = 1_000
"""Documents of one view; all of them are at ``documents_url``, and ``documents_total`` says how many."""
MOST_MOVEMENTS: Final = 200
"""Movements of one view, the newest."""
MOST_PARTIES: Final = 500
ANSWER_BYTES: Final = 3_900_000
"""What a view takes at most: no answer but a file exceeds 4 MB, and headers and braces want their share."""
MOVEMENTS_BYTES: Final = 900_000
PARTIES_BYTES: Final = 500_000
_SUBJECTS_BYTES: Final = 100_000

_FEW: Final = 100
"""Items that are measured together first, since they nearly always fit."""

T = TypeVar("T")


def fitting(items: Sequence[T], limit: int) -> Sequence[T]:
    """The first of the items that take at most ``limit`` bytes as a JSON array; of many, the rest is not looked at.

    Every list that leaves the product goes through here, so that no answer and no body grows with its case.
    """
    if len(items) <= _FEW and len(orjson.dumps(items)) < limit:
        return items
    left = limit - 2
    for index, item in enumerate(items):
        left -= len(orjson.dumps(item)) + 1
        if left < 0:
            return items[:index]
    return items


def documents_url(process_number: str, public_url: str | None = None) -> str:
    """Where all documents of a case are, a page at a time; relative where the API's public URL is not set."""
    return f"{public_url or ''}/processes/{quote(process_number)}/documents"


def movements_url(process_number: str, public_url: str | None = None) -> str:
    """Where all movements of a case are, a page at a time."""
    return f"{public_url or ''}/processes/{quote(process_number)}/movements"


def parties_url(process_number: str, public_url: str | None = None) -> str:
    """Where all parties of a case are, a page at a time."""
    return f"{public_url or ''}/processes/{quote(process_number)}/parties"


def _short(message: str | None) -> str | None:
    return message[:500] if message is not None else None


def _filed(at: datetime | None) -> str | None:
    """A time of the source's, which has whole seconds most of the time."""
    return rfc3339(at).replace(".000000Z", "Z") if at is not None else None


def case_view(columns: Mapping[Any, Any], public_url: str | None = None) -> dict[str, Any]:
    """The case fields of a ProcessView, from the columns of its row in ``catalog.processes``.

    Lists are within the bounds of a view; their totals are the source's.
    """
    claim_value = columns["claim_value"]
    number = columns["process_number"]
    subjects, parties, movements = (columns[name] or [] for name in ("subjects", "parties", "movements"))
    movements_total, parties_total = columns["movements_total"], columns["parties_total"]
    return {
        "process_number": number,
        "court": columns["court"],
        "degree": columns["degree"],
        "class": columns["class"],
        "subjects": fitting(subjects, _SUBJECTS_BYTES),
        "parties": fitting(parties[:MOST_PARTIES], PARTIES_BYTES),
        "filed_at": _filed(columns["filed_at"]),
        "claim_value": float(claim_value) if claim_value is not None else None,
        "secrecy_level": columns["secrecy_level"],
        "movements": fitting(movements[:MOST_MOVEMENTS], MOVEMENTS_BYTES),
        "related_processes": columns["related"],
        "fetched_at": rfc3339_or_none(columns["fetched_at"]),
        "parties_total": parties_total if parties_total is not None else len(parties),
        "parties_url": parties_url(number or "", public_url),
        "movements_total": movements_total if movements_total is not None else len(movements),
        "movements_url": movements_url(number or "", public_url),
        "left_out": columns["left_out"] or {},
    }


def unknown_case_view(process_number: str, public_url: str | None = None) -> dict[str, Any]:
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
        "related_processes": [],
        "fetched_at": None,
        "parties_total": 0,
        "parties_url": parties_url(process_number, public_url),
        "movements_total": 0,
        "movements_url": movements_url(process_number, public_url),
        "left_out": {},
    }


def sealed_case_view(process_number: str, secrecy_level: int | None, public_url: str | None = None) -> dict[str, Any]:
    """The same fields for a sealed case outside of the API (a webhook, the feed): nothing but its number
    and its level.
    """
    return {**unknown_case_view(process_number, public_url), "secrecy_level": secrecy_level}


def document_view(
    row: Any,
    state_row: Any | None,
    *,
    default_status: str,
    link: str | None = None,
    link_expires_at: datetime | None = None,
    duplicate_of: str | None = None,
) -> dict[str, Any]:
    """A DocumentView from a row of ``catalog.documents`` and its row of ``progress.documents``, or None.

    ``default_status`` holds while the projection knows nothing of the document, or knows it only as ``pending``.
    A link is shown for an available document only. What was stored (size, content type) wins over what the source
    announced. ``duplicate_of`` is the document of the same case that has the same bytes and comes first.
    """
    status = default_status
    if state_row is not None and state_row.status != DocumentStatus.PENDING:
        status = state_row.status
    available = status == DocumentStatus.AVAILABLE
    failed = status == DocumentStatus.FAILED
    size, content_type, rendition = row.size, row.content_type, row.rendition
    warnings: list[str] = []
    if state_row is not None and available:
        size = state_row.size if state_row.size is not None else size
        content_type = state_row.content_type or content_type
        rendition = state_row.rendition or rendition
        warnings = list(state_row.warnings or ())
        if (state_row.revision or 1) < row.revision:
            # The listing shows another content, which has not come yet.
            warnings.append(OUTDATED)
    return {
        "id": row.document_id,
        "source_id": row.source_id,
        "name": row.name,
        "type": row.type,
        "rendition": rendition,
        "court": row.court,
        "degree": row.degree,
        "instance": row.instance,
        "position": row.position,
        "duplicate_of": duplicate_of,
        "warnings": warnings,
        "sequence": row.sequence,
        "filed_at": _filed(row.filed_at),
        "pages": row.pages,
        "size": size,
        "content_type": content_type,
        "secrecy_level": row.secrecy_level,
        "status": status,
        "download_url": link if available else None,
        "download_url_expires_at": rfc3339_or_none(link_expires_at) if available and link else None,
        "sha256": state_row.sha256 if state_row is not None and available else None,
        "error_code": state_row.error_code if state_row is not None and failed else None,
        "error_message": _short(state_row.error_message) if state_row is not None and failed else None,
        "attempts": state_row.attempts if state_row is not None else 0,
        "download_started_at": rfc3339_or_none(state_row.download_started_at) if state_row is not None else None,
        "download_completed_at": rfc3339_or_none(state_row.download_completed_at) if state_row is not None else None,
        "replaced_at": rfc3339_or_none(state_row.replaced_at) if state_row is not None and available else None,
    }


def duplicates(documents: Iterable[tuple[str, str | None, str | None]]) -> dict[str, str]:
    """By id of each document whose bytes another of the case has before it: the id of that one.

    ``documents`` are (id, SHA-256, object key) in the order of the case; None for what is not available. Of a page, the
    object that a document shares tells of one on another page.
    """
    known = [(document_id, sha256, key) for document_id, sha256, key in documents if sha256 is not None]
    times = Counter(sha256 for _, sha256, _ in known)
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for document_id, sha256, key in known:
        if times[sha256] > 1:
            if first.setdefault(sha256, document_id) != document_id:
                found[document_id] = first[sha256]
        elif key is not None and (owner := key.rpartition("/")[2][:36]) != document_id:
            found[document_id] = owner
    return found
