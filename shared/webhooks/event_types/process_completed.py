"""``process.completed``: a job has ended, however that is. In one of three forms (docs/reference/webhooks.md).

The full form is as large as its case, within the bounds of a view. The thin one leaves the documents to
``documents_url`` and fits where 100 kB are accepted. The bare one has no list at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import rfc3339
from shared.domain.views import fitting
from shared.events.process_completed import JobOutcome
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import PROCESS_COMPLETED, JobEnded

_THIN_LISTS: Final = {"subjects": 8 * 1024, "parties": 16 * 1024, "movements": 16 * 1024}
_BARE_TEXT: Final = 200
_MESSAGE: Final = 500


class ProcessCompletedData(BaseModel):
    """The job's end, the case and its documents."""

    model_config = ConfigDict(extra="allow")

    job_id: str
    process_number: str
    status: JobOutcome
    total_documents: int
    completed_documents: int
    failed_documents: int
    progress_percentage: float
    created_at: datetime
    completed_at: datetime
    error_code: str | None = None
    error_message: str | None = None
    reference: str | None = Field(None, description="Yours: what you gave as `reference` with the request")
    process: dict[str, Any] = Field(description="The case fields of ProcessView")
    documents: list[Any] = Field(description="Those that everybody may see; sealed ones are left out")
    documents_total: int
    documents_truncated: bool = Field(description="There are more: `documents_url` has them")
    documents_url: str


def _data(facts: JobEnded, form: BodyForm) -> Mapping[str, Any]:
    completion, documents = facts.completion, facts.documents
    views = documents.make() if form is BodyForm.FULL else []
    total = completion.total_documents
    ended = completion.completed_documents + completion.failed_documents
    return {
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
        "error_message": completion.error_message[:_MESSAGE] if completion.error_message else None,
        "reference": facts.reference,
        "process": _case(facts.case, form),
        "documents": views,
        "documents_total": documents.total,
        "documents_url": documents.url,
        "documents_truncated": len(views) < documents.total,
    }


def _case(case: Mapping[str, Any], form: BodyForm) -> Mapping[str, Any]:
    """The case fields as the form has them; the totals are always the source's."""
    if form is BodyForm.FULL:
        return case
    if form is BodyForm.THIN:
        return {**case, **{name: fitting(case[name], most) for name, most in _THIN_LISTS.items()}}
    texts = {name: value[:_BARE_TEXT] for name, value in case.items() if isinstance(value, str) and "url" not in name}
    return {**case, **texts, **{name: [] for name, value in case.items() if isinstance(value, list | tuple)}}


EVENT_TYPE: Final = EventType(
    name=PROCESS_COMPLETED,
    summary="A job has ended: completed, partial, failed or cancelled.",
    data=ProcessCompletedData,
    facts=JobEnded,
    at=lambda facts: facts.completion.completed_at,
    render=_data,
    on_request=False,
)
