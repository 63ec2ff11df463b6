"""The bodies of webhooks: process.completed, and the test event (docs/reference/webhooks.md, "What is sent").

A body has one of three forms. The full one is as large as its case, within the bounds of a view; the thin one leaves
the documents to ``documents_url`` and fits where 100 kB are taken; the bare one has no list at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

import orjson

from shared.clock import rfc3339
from shared.domain.views import fitting

COMPLETED: Final = "process.completed"
TEST: Final = "webhook.test"

THIN_BYTES: Final = 64 * 1024
"""A thin body is smaller: servers that take 100 kB (Express as it comes) take it."""
BARE_BYTES: Final = 16 * 1024
"""A bare body is smaller."""
_THIN_LISTS: Final = {"subjects": 8 * 1024, "parties": 16 * 1024, "movements": 16 * 1024}
_BARE_TEXT: Final = 200


class Form(IntEnum):
    """How much of its case a body has; the larger number is the smaller body."""

    FULL = 0
    THIN = 1
    BARE = 2


class Body(NamedTuple):
    """A body and its form."""

    content: bytes
    form: Form


class Documents(NamedTuple):
    """The documents of a body: their number, where they are, and what makes their views when they are wanted."""

    total: int
    url: str
    make: Callable[[], Sequence[Mapping[str, Any]]]


def completed_body(
    completion: Any, case: Mapping[str, Any], documents: Documents, *, form: Form, most_bytes: int
) -> Body:
    """The body of a finished job, in ``form`` or, where that takes more than ``most_bytes``, in a smaller one.

    ``completion`` has the fields of ProcessCompleted; ``case`` and ``documents`` are views
    (:mod:`shared.domain.views`).
    ``timestamp`` is when the job ended, the same in every attempt; the links in ``documents`` are made at each.
    """
    for smaller in (one for one in Form if one >= form):
        content = _content(completion, case, documents, smaller)
        if len(content) <= most_bytes:
            break
    return Body(content, smaller)


def _content(completion: Any, case: Mapping[str, Any], documents: Documents, form: Form) -> bytes:
    views = documents.make() if form is Form.FULL else []
    total = completion.total_documents
    ended = completion.completed_documents + completion.failed_documents
    data = {
        "job_id": completion.job_id,
        "process_number": completion.process_number,
        "status": str(completion.status),
        "total_documents": total,
        "completed_documents": completion.completed_documents,
        "failed_documents": completion.failed_documents,
        "progress_percentage": round(100 * ended / total, 2) if total else 100.0,
        "created_at": rfc3339(completion.created_at),
        "completed_at": rfc3339(completion.completed_at),
        "error_code": completion.error_code,
        "error_message": completion.error_message[:500] if completion.error_message else None,
        "process": _case(case, form),
        "documents": views,
        "documents_total": documents.total,
        "documents_url": documents.url,
        "documents_truncated": len(views) < documents.total,
    }
    return orjson.dumps({"type": COMPLETED, "timestamp": rfc3339(completion.completed_at), "data": data})


def _case(case: Mapping[str, Any], form: Form) -> Mapping[str, Any]:
    """The case fields as the form has them; the totals are always the source's."""
    if form is Form.FULL:
        return case
    if form is Form.THIN:
        return {**case, **{name: fitting(case[name], most) for name, most in _THIN_LISTS.items()}}
    texts = {name: value[:_BARE_TEXT] for name, value in case.items() if isinstance(value, str) and "url" not in name}
    return {**case, **texts, **{name: [] for name, value in case.items() if isinstance(value, list | tuple)}}


def sample_body(now: datetime, client_id: str) -> bytes:
    """The body of a test event: nothing of a case in it."""
    data = {"client_id": client_id, "message": "This is a test of your webhook. No case has ended."}
    return orjson.dumps({"type": TEST, "timestamp": rfc3339(now), "data": data})
