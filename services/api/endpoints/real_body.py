"""How large the webhook of a real case would be: rendered as the notifier does, measured, and thrown away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, select

from services.api.processes.view.case_parts import CaseParts, read_case, sight_for
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.views import documents_view
from shared.db.catalog import process_requests, processes
from shared.db.visibility import public_case
from shared.domain.secrecy import Viewer
from shared.domain.statuses import ended_status
from shared.domain.views import case_view, documents_url
from shared.webhooks.body_form import FULL, THIN, BodyForm
from shared.webhooks.event_type import fitting_body
from shared.webhooks.facts import PROCESS_COMPLETED, BodyDocuments, JobEnd, JobEnded
from shared.webhooks.registry import EVENT_TYPES

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class RealBodies:
    """Measures bodies; ``most_bytes`` is the bound of a body."""

    links: LinkCache
    most_bytes: int

    async def measured(self, parts: CaseParts | None, form: BodyForm) -> dict[str, Any] | None:
        """The RealBody of a case for an endpoint that gets bodies of this form."""
        if parts is None or parts.case is None:
            return None
        return await self.links.build(lambda links: self._measure(parts, form, links), len(parts.documents))

    def _measure(self, parts: CaseParts, form: BodyForm, links: LinkCache) -> dict[str, Any]:
        facts, kind = _ended(parts, links), EVENT_TYPES[PROCESS_COMPLETED]
        sent = fitting_body(kind, facts, form=form, most_bytes=self.most_bytes)
        return {
            "process_number": parts.process_number,
            "payload": FULL if sent.form is BodyForm.FULL else THIN,
            "body_bytes": len(sent.content),
            "full_body_bytes": len(kind.body(facts, BodyForm.FULL)),
            "max_body_bytes": self.most_bytes,
        }


def read_parts(connection: Connection, viewer: Viewer, process_number: str | None) -> CaseParts | None:
    """What the body of a case is made of: of the one named, else of the one that the client asked for last.

    Nothing sealed is in a body, so a case that is sealed has none here. Raises ProcessUnknown for one that is named.
    """
    plain = replace(viewer, sealed=False)
    number = process_number or _last_of(connection, plain)
    if number is None:
        return None
    sight = sight_for(connection, plain, number)
    return read_case(connection, number, sight, None, None, has_webhook=False, stale=False, reference=None)


def _last_of(connection: Connection, viewer: Viewer) -> str | None:
    found: str | None = connection.execute(
        select(process_requests.c.process_number)
        .join(processes, processes.c.process_number == process_requests.c.process_number)
        .where(process_requests.c.client_id == viewer.client_id, public_case())
        .order_by(process_requests.c.last_requested_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found


def _ended(parts: CaseParts, links: LinkCache) -> JobEnded:
    """The end of a job for the whole case as if it came now and nothing had failed: no such job is stored."""
    case = parts.case
    assert case is not None
    total = parts.documents_total
    end = JobEnd(
        job_id=_NOBODY,
        process_number=parts.process_number,
        status=ended_status(total, 0),
        total_documents=total,
        completed_documents=total,
        failed_documents=0,
        created_at=case["fetched_at"],
        completed_at=case["fetched_at"],
    )
    url = documents_url(parts.process_number, links.public_url)
    views = documents_view(parts.documents, None, links, parts.sight, has_webhook=False)
    return JobEnded(end, case_view(case, links.public_url), BodyDocuments(total, url, lambda: views))
