"""``document.available``: documents of a job are stored and can be read. Many are told of together.

A thin body has the ids alone, ``documents_url`` leads to the rest. A bare one has not even those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import DocumentsStored


class DocumentAvailableData(BaseModel):
    """Some documents of a case, as far as everybody may see them."""

    model_config = ConfigDict(extra="allow")

    job_id: str
    process_number: str
    reference: str | None = Field(None, description="Yours: what you gave as `reference` with the request")
    document_ids: list[str] = Field(description="The documents that became available")
    documents: list[Any] = Field(description="The same documents as views; empty in a thin body")
    documents_total: int = Field(description="How many this event is about")
    documents_truncated: bool = Field(description="`documents` does not have them all: `documents_url` has")
    documents_url: str = Field(description="The page of the case's documents")


def _data(facts: DocumentsStored, form: BodyForm) -> Mapping[str, Any]:
    views = facts.documents.make() if form is BodyForm.FULL else []
    return {
        "job_id": facts.job_id,
        "process_number": facts.process_number,
        "reference": facts.reference,
        "document_ids": list(facts.document_ids) if form is not BodyForm.BARE else [],
        "documents": views,
        "documents_total": facts.documents.total,
        "documents_url": facts.documents.url,
        "documents_truncated": len(views) < facts.documents.total,
    }


EVENT_TYPE: Final = EventType(
    name="document.available",
    summary="Documents are stored and can be read, before their job has ended; many are told of together.",
    data=DocumentAvailableData,
    facts=DocumentsStored,
    at=lambda facts: facts.at,
    render=_data,
)
