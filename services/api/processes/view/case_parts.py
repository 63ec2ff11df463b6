"""Collects what a view of a case is made of, in one snapshot of the database; the view is made after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from services.api.http.problems import ProcessUnknown
from services.api.jobs import repository as jobs
from services.api.jobs.model import CaseJob
from services.api.jobs.participants import has_webhook
from services.api.jobs.references import read_reference
from services.api.processes.view import repository
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.views import ShownDocuments, documents_view, files_view, process_view, status_view
from services.api.processes.view.webhook import Webhook
from shared.db.case_store import find_process
from shared.db.new_case import NewCase
from shared.db.visibility import read_sight
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import JobScope
from shared.domain.views import MOST_DOCUMENTS


@dataclass(frozen=True)
class CaseParts:
    """What is stored of a case, as one client may see it."""

    process_number: str
    sight: Sight
    case: Mapping[Any, Any] | None
    """The columns of the case's row, as it is stored or as it was just written."""
    documents: Sequence[repository.KnownDocument]
    documents_total: int
    """How many there are of what ``documents`` shows the first of."""
    job: CaseJob | None
    webhook: Webhook | None
    has_webhook: bool
    stale: bool = False
    reference: str | None = None
    """What the client that looks calls the job."""

    def process(self, links: LinkCache) -> dict[str, Any]:
        """The ProcessView. Makes links: not for the event loop."""
        return process_view(
            self.process_number,
            self.case,
            ShownDocuments(self._documents(links), self.documents_total),
            self.job,
            self.webhook,
            stale=self.stale,
            reference=self.reference,
            public_url=links.public_url,
        )

    def status(self, links: LinkCache) -> dict[str, Any]:
        """The StatusView. Makes links: not for the event loop."""
        shown = ShownDocuments(self._documents(links), self.documents_total)
        return status_view(
            self.process_number,
            self.job,
            shown,
            sealed=self.sight.case_sealed,
            reference=self.reference,
            public_url=links.public_url,
        )

    def files(self, links: LinkCache) -> dict[str, Any]:
        """The available documents. Makes links: not for the event loop."""
        shown = ShownDocuments(self._documents(links), self.documents_total)
        return files_view(self.process_number, shown, public_url=links.public_url)

    def _documents(self, links: LinkCache) -> list[dict[str, Any]]:
        return documents_view(self.documents, self.job, links, self.sight, has_webhook=self.has_webhook)


def sight_for(connection: Connection, viewer: Viewer, process_number: str) -> Sight:
    """What the viewer sees of the case. Raises ProcessUnknown when that is nothing: it is as one never asked for."""
    sight = read_sight(connection, viewer, process_number)
    if sight is None:
        raise ProcessUnknown
    return sight


def read_case(
    connection: Connection,
    process_number: str,
    sight: Sight,
    job: CaseJob | None,
    webhook: Webhook | None,
    *,
    has_webhook: bool,
    stale: bool,
    reference: str | None,
    documents: bool = True,
    new: NewCase | None = None,
) -> CaseParts:
    """A case for the ProcessView; ``has_webhook``: whether anybody is called when the job ends.

    ``new`` is what was just written of a case of which nothing was stored: then it is not read again.
    """
    case: Mapping[Any, Any] | None
    rows: Sequence[repository.KnownDocument]
    if new is not None:
        case = new.row
        rows, total = repository.first_documents_in(new, sight, MOST_DOCUMENTS if documents else 0)
    else:
        rows, total = _first_documents(connection, process_number, sight, documents=documents)
        stored = find_process(connection, process_number)
        case = stored._mapping if stored is not None else None
    return CaseParts(
        process_number,
        sight,
        case,
        rows,
        total,
        jobs.as_seen(connection, job, sight) if job is not None else None,
        webhook,
        has_webhook and job is not None and not job.ended,
        stale,
        reference,
    )


def read_status(
    connection: Connection,
    process_number: str,
    sight: Sight,
    job: CaseJob | None,
    client_id: str,
    *,
    documents: bool = True,
) -> CaseParts:
    """A case or one document of it, as far as the job goes, for the StatusView. The job is as ``sight`` sees it."""
    rows: Sequence[repository.KnownDocument]
    if job is not None and job.scope != JobScope.WHOLE_CASE:
        rows = repository.documents_of(connection, process_number, sight, document_id=job.scope)
        total = len(rows)
        rows = rows if documents else []
    else:
        rows, total = _first_documents(connection, process_number, sight, documents=documents)
    called = job is not None and not job.ended and has_webhook(connection, job.job_id)
    reference = read_reference(connection, job.job_id, client_id) if job is not None else None
    return CaseParts(process_number, sight, None, rows, total, job, None, called, reference=reference)


def read_files(connection: Connection, process_number: str, sight: Sight) -> CaseParts:
    """The available documents of a case, the first of them."""
    rows, total = repository.available_of(connection, process_number, sight, MOST_DOCUMENTS)
    return CaseParts(process_number, sight, None, rows, total, None, None, False)


def _first_documents(
    connection: Connection, process_number: str, sight: Sight, *, documents: bool
) -> tuple[Sequence[repository.KnownDocument], int]:
    if documents:
        return repository.first_documents_of(connection, process_number, sight, MOST_DOCUMENTS)
    return [], repository.count_documents(connection, process_number, sight)
