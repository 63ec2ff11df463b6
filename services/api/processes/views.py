"""What clients see of a case: ProcessView, StatusView and the documents in them (pure but for the links)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from sqlalchemy import Row

from services.api.auth import Caller
from services.api.jobs.model import Job, job_view
from services.api.links import LinkCache
from services.api.processes.repository import Document, Webhook
from shared.views import case_view, document_view, unknown_case_view


def default_document_status(job: Job | None, document_id: str, *, has_webhook: bool) -> str:
    """The status of a document of which the projection says nothing yet.

    ``processing`` when a running job without a webhook includes it; ``pending`` when a webhook will tell, or when no
    running job includes it (docs/architecture.md, states).
    """
    if job is None or job.ended or has_webhook or not job.includes(document_id):
        return "pending"
    return "processing"


def documents_view(
    documents: Iterable[Document], job: Job | None, links: LinkCache, *, has_webhook: bool
) -> list[dict[str, Any]]:
    """A DocumentView for each document, with a link where it is available."""
    shown = []
    for document in documents:
        listed, state = document.listed, document.state
        link = None
        if state is not None and document.available:
            link = links.get(state.object_key, listed.name, state.content_type)
        shown.append(
            document_view(
                listed,
                state,
                default_status=default_document_status(job, listed.document_id, has_webhook=has_webhook),
                link=link.url if link else None,
                link_expires_at=link.expires_at if link else None,
            )
        )
    return shown


def process_links(process_number: str) -> dict[str, str]:
    """Where the rest of a case is found, relative to the API's root."""
    base = f"/processes/{quote(process_number)}"
    return {
        "self": base,
        "status": f"{base}/status",
        "events": f"{base}/events",
        "files": f"{base}/files",
        "zip": f"{base}/documents.zip",
    }


def process_view(
    process_number: str,
    case: Row[Any] | None,
    documents: list[dict[str, Any]],
    job: Job | None,
    webhook: Webhook | None,
    *,
    stale: bool,
) -> dict[str, Any]:
    """The ProcessView. Without a stored case its fields are null and its lists empty."""
    return {
        **(case_view(case) if case is not None else unknown_case_view(process_number)),
        "stale": stale,
        "job": job_view(job, len(documents)) if job is not None else None,
        "documents": documents,
        "webhook": webhook.view() if webhook is not None else None,
        "links": process_links(process_number),
    }


def status_view(process_number: str, job: Job | None, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The StatusView; without any job its job fields are null and its counters those of no job."""
    fields = job_view(job, len(documents)) if job is not None else _no_job(len(documents))
    return {**fields, "process_number": process_number, "documents": documents}


def _no_job(total: int) -> dict[str, Any]:
    return {
        "job_id": None,
        "status": None,
        "total_documents": total,
        "completed_documents": 0,
        "failed_documents": 0,
        "progress_percentage": 0.0,
        "created_at": None,
        "started_at": None,
        "completed_at": None,
        "error_code": None,
        "error_message": None,
    }


def seen_by(caller: Caller, view: dict[str, Any]) -> dict[str, Any]:
    """A ProcessView; of it the job alone (JobAnswer) for a key that may start downloads and not read."""
    return view if caller.may("read") else {name: view[name] for name in ("process_number", "job")}
