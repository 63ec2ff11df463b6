"""Collects what a view of a case is made of in one transaction; the view is made after it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from services.api.jobs import repository as jobs
from services.api.jobs.model import ALL, Job
from services.api.links import LinkCache
from services.api.processes import repository
from services.api.processes.views import documents_view, process_view, status_view
from shared.db.case_store import find_process


@dataclass(frozen=True)
class CaseParts:
    """What is stored of a case, as one client may see it."""

    process_number: str
    case: Row[Any] | None
    documents: Sequence[repository.Document]
    job: Job | None
    webhook: repository.Webhook | None
    has_webhook: bool
    stale: bool = False

    def process(self, links: LinkCache) -> dict[str, Any]:
        """The ProcessView. Makes links: not for the event loop."""
        return process_view(
            self.process_number, self.case, self._documents(links), self.job, self.webhook, stale=self.stale
        )

    def status(self, links: LinkCache) -> dict[str, Any]:
        """The StatusView. Makes links: not for the event loop."""
        return status_view(self.process_number, self.job, self._documents(links))

    def files(self, links: LinkCache) -> dict[str, Any]:
        """The available documents. Makes links: not for the event loop."""
        return {"documents": self._documents(links)}

    def _documents(self, links: LinkCache) -> list[dict[str, Any]]:
        return documents_view(self.documents, self.job, links, has_webhook=self.has_webhook)


def read_case(
    connection: Connection,
    process_number: str,
    job: Job | None,
    webhook: repository.Webhook | None,
    *,
    is_told: bool,
    stale: bool,
) -> CaseParts:
    """All of a case for the ProcessView; ``is_told``: whether anybody is called when the job ends."""
    return CaseParts(
        process_number,
        find_process(connection, process_number),
        repository.documents_of(connection, process_number),
        job,
        webhook,
        is_told and job is not None and not job.ended,
        stale,
    )


def read_status(connection: Connection, process_number: str, job: Job | None) -> CaseParts:
    """A case or one document of it, as far as the job goes, for the StatusView."""
    one = job.scope if job is not None and job.scope != ALL else None
    rows = repository.documents_of(connection, process_number, document_id=one)
    told = job is not None and not job.ended and jobs.has_webhook(connection, job.job_id)
    return CaseParts(process_number, None, rows, job, None, told)


def read_files(connection: Connection, process_number: str) -> CaseParts:
    """The available documents of a case."""
    rows = repository.documents_of(connection, process_number, available_only=True)
    return CaseParts(process_number, None, rows, None, None, False)
