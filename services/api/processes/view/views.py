"""What clients see of a case: ProcessView, StatusView and the documents in them (pure but for the links)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from services.api.access.caller import Caller
from services.api.jobs.model import CaseJob, job_view
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.repository import KnownDocument
from services.api.processes.view.webhook import Webhook
from shared.domain.api_keys import Scope
from shared.domain.secrecy import Sight
from shared.domain.statuses import DocumentStatus
from shared.domain.views import (
    ANSWER_BYTES,
    case_view,
    document_view,
    documents_url,
    duplicates,
    fitting,
    unknown_case_view,
)


def default_document_status(job: CaseJob | None, document_id: str, *, has_webhook: bool) -> DocumentStatus:
    """The status of a document of which the projection says nothing yet.

    ``processing`` when a running job without a webhook includes it; ``pending`` when a webhook will be called, or when
    no running job includes it (docs/architecture.md, "States").
    """
    if job is None or job.ended or has_webhook or not job.includes(document_id):
        return DocumentStatus.PENDING
    return DocumentStatus.PROCESSING


def documents_view(
    documents: Iterable[KnownDocument], job: CaseJob | None, links: LinkCache, sight: Sight, *, has_webhook: bool
) -> list[dict[str, Any]]:
    """A DocumentView for each document, with a link where it is available.

    Which documents are seen has been decided by whoever read them; ``sight`` says which of them get the short link of a
    sealed document, and moves the positions so that nothing tells of those left out.
    """
    shown = []
    documents = list(documents)
    same = duplicates((one.listed.document_id, one.sha256, one.object_key) for one in documents)
    for document in documents:
        listed, state = document.listed, document.state
        link = None
        if state is not None and document.available:
            sealed = sight.is_sealed(listed.secrecy_level)
            link = links.get(state.object_key, listed.name, state.content_type, sealed=sealed)
        shown.append(
            document_view(
                listed,
                state,
                default_status=default_document_status(job, listed.document_id, has_webhook=has_webhook),
                link=link.url if link else None,
                link_expires_at=link.expires_at if link else None,
                duplicate_of=same.get(listed.document_id),
            )
        )
    return [sight.left_out.applied(view) for view in shown] if sight.hides else shown


def process_links(process_number: str) -> dict[str, str]:
    """Where the rest of a case is found, relative to the API's root."""
    base = f"/processes/{quote(process_number)}"
    return {
        "self": base,
        "status": f"{base}/status",
        "events": f"{base}/events",
        "files": f"{base}/files",
        "zip": f"{base}/documents.zip",
        "manifest": f"{base}/manifest.json",
    }


@dataclass(frozen=True)
class ShownDocuments:
    """The documents that a view shows, and how many there are."""

    documents: Sequence[dict[str, Any]]
    total: int

    def within(self, rest: Any) -> Sequence[dict[str, Any]]:
        """Those that fit into an answer beside the ``rest`` of it: all, with names of ordinary length."""
        return fitting(self.documents, ANSWER_BYTES - len(orjson.dumps(rest, default=float)))


def process_view(
    process_number: str,
    case: Mapping[Any, Any] | None,
    shown: ShownDocuments,
    job: CaseJob | None,
    webhook: Webhook | None,
    *,
    stale: bool,
    reference: str | None = None,
    public_url: str | None = None,
) -> dict[str, Any]:
    """The ProcessView. Without a stored case its fields are null and its lists empty. Pure.

    Documents are shown as far as the answer stays within ANSWER_BYTES; ``documents_total`` says how many there are.
    """
    known = case_view(case, public_url) if case is not None else unknown_case_view(process_number, public_url)
    rest = {
        **known,
        "stale": stale,
        "reference": reference,
        "job": own_job_view(job, shown.total, reference) if job is not None else None,
        "documents_total": shown.total + known["left_out"].get("documents", 0),
        "documents_url": documents_url(process_number, public_url),
        "webhook": webhook.view() if webhook is not None else None,
        "links": process_links(process_number),
    }
    return {**rest, "documents": shown.within(rest)}


def own_job_view(job: CaseJob, catalog_total: int, reference: str | None) -> dict[str, Any]:
    """The JobView with what the client that looks calls the job."""
    return {**job_view(job, catalog_total), "reference": reference}


def status_view(
    process_number: str,
    job: CaseJob | None,
    shown: ShownDocuments,
    *,
    sealed: bool = False,
    reference: str | None = None,
    public_url: str | None = None,
) -> dict[str, Any]:
    """The StatusView; without any job its job fields are null and its counters those of no job."""
    rest = {
        **(job_view(job, shown.total) if job is not None else _no_job(shown.total)),
        "reference": reference,
        "process_number": process_number,
        "sealed": sealed,
        "documents_total": shown.total,
        "documents_url": documents_url(process_number, public_url),
    }
    return {**rest, "documents": shown.within(rest)}


def files_view(process_number: str, shown: ShownDocuments, *, public_url: str | None = None) -> dict[str, Any]:
    """The FilesView: the available documents."""
    rest = {
        "documents_total": shown.total,
        "documents_url": f"{documents_url(process_number, public_url)}?status={DocumentStatus.AVAILABLE}",
    }
    return {**rest, "documents": shown.within(rest)}


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
    return view if caller.may(Scope.READ) else {name: view[name] for name in ("process_number", "job")}
