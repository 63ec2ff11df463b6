"""The body of a process.completed webhook, in one of three forms (docs/reference/webhooks.md, "What is sent").

The full form is as large as its case, within the bounds of a view. The thin one leaves the documents to
``documents_url`` and fits where 100 kB are accepted. The bare one has no list at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from services.notifier.domain.body_form import BodyForm
from shared.clock import rfc3339
from shared.domain.views import fitting

COMPLETED: Final = "process.completed"

_THIN_LISTS: Final = {"subjects": 8 * 1024, "parties": 16 * 1024, "movements": 16 * 1024}
_BARE_TEXT: Final = 200


class BodyKey(NamedTuple):
    """Which body: of a job, in the form that its endpoint takes, for a client with the scope ``sealed`` or without."""

    job_id: str
    form: BodyForm = BodyForm.FULL
    sealed: bool = False


class WebhookBody(NamedTuple):
    """A body and its form."""

    content: bytes
    form: BodyForm


class BodyDocuments(NamedTuple):
    """The documents of a body: their number, where they are, and what makes their views when they are wanted."""

    total: int
    url: str
    make: Callable[[], Sequence[Mapping[str, Any]]]


def completed_body(
    completion: Any, case: Mapping[str, Any], documents: BodyDocuments, *, form: BodyForm, most_bytes: int
) -> WebhookBody:
    """The body of a finished job, in ``form`` or, where that takes more than ``most_bytes``, in a smaller one.

    ``completion`` has the fields of ProcessCompleted; ``case`` and ``documents`` are views
    (:mod:`shared.domain.views`).
    ``timestamp`` is when the job ended, the same in every attempt; the links in ``documents`` are made at each.
    """
    for smaller in (one for one in BodyForm if one >= form):
        content = _content(completion, case, documents, smaller)
        if len(content) <= most_bytes:
            break
    return WebhookBody(content, smaller)


def _content(completion: Any, case: Mapping[str, Any], documents: BodyDocuments, form: BodyForm) -> bytes:
    views = documents.make() if form is BodyForm.FULL else []
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


def _case(case: Mapping[str, Any], form: BodyForm) -> Mapping[str, Any]:
    """The case fields as the form has them; the totals are always the source's."""
    if form is BodyForm.FULL:
        return case
    if form is BodyForm.THIN:
        return {**case, **{name: fitting(case[name], most) for name, most in _THIN_LISTS.items()}}
    texts = {name: value[:_BARE_TEXT] for name, value in case.items() if isinstance(value, str) and "url" not in name}
    return {**case, **texts, **{name: [] for name, value in case.items() if isinstance(value, list | tuple)}}
