"""The cases that a client has asked for, the latest first, with the state of each one's newest job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
    tuple_,
)

from services.api.http import cursors
from services.api.http.provided import provided
from services.api.jobs.model import SeenCounts
from services.api.jobs.repository import COLUMNS, job_of, prefixed
from services.api.processes.view.views import own_job_view, process_links
from shared.clock import rfc3339
from shared.db import progress
from shared.db.catalog import documents, job_references, jobs, process_requests, processes
from shared.db.engine import Database
from shared.db.visibility import (
    PUBLIC_DOCUMENT,
    public_counts,
    sealed_document_of,
    shown_case,
    shown_job_in,
)
from shared.domain.secrecy import Viewer, is_public_case
from shared.domain.statuses import JobScope, JobStatus

_WHOLE_CASE: Final = literal_column(f"'{JobScope.WHOLE_CASE}'", Text)


@dataclass(frozen=True)
class CaseFilter:
    """Which cases are listed."""

    status: str | None = None
    cursor: str | None = None
    limit: int = 50


class CaseList:
    """The cases of one client that its key sees."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, viewer: Viewer, wanted: CaseFilter) -> dict[str, Any]:
        """The CasePage, latest request first. Raises InvalidCursor.

        A case that is asked for again meanwhile moves to the front, and is not on a later page.
        """
        before = cursors.decode(wanted.cursor) if wanted.cursor is not None else None

        def read(connection: Connection) -> dict[str, Any]:
            rows = connection.execute(_statement(viewer, wanted, before)).all()
            shown = rows[: wanted.limit]
            last = shown[-1] if len(rows) > wanted.limit else None
            return {
                "processes": [_entry(row) for row in shown],
                "next_cursor": cursors.encode(last.last_requested_at, last.process_number) if last else None,
            }

        return await self._database.autocommit(read)


CaseLists = Annotated[CaseList, Depends(provided(CaseList))]


def _statement(viewer: Viewer, wanted: CaseFilter, before: tuple[datetime, str] | None) -> Select[Any]:
    """The page of cases in one statement: each with its newest shown job, and counts of what the viewer sees alone.

    Reads one case more than is asked for: that one says whether there is another page.
    """
    asked, known = process_requests.c, progress.jobs
    sees_sealed = and_(literal(viewer.sealed), asked.sealed)
    newest = (
        select(jobs.c.job_id)
        .where(jobs.c.process_number == asked.process_number, shown_job_in(sees_sealed))
        .order_by(jobs.c.created_at.desc())
        .limit(1)
        .correlate(process_requests)
        .scalar_subquery()
    )
    listed = (
        select(func.count())
        .select_from(documents)
        .where(documents.c.process_number == asked.process_number, sees_sealed | PUBLIC_DOCUMENT)
        .correlate(process_requests)
        .scalar_subquery()
    )
    hides = and_(not_(sees_sealed), sealed_document_of(asked.process_number)).label("hides")
    # Only where something is hidden: the job's own counts hold for all others.
    counts = (
        public_counts(asked.process_number, func.coalesce(jobs.c.scope, _WHOLE_CASE))
        .where(and_(not_(sees_sealed), sealed_document_of(asked.process_number)))
        .correlate(process_requests, jobs)
        .lateral("counts")
    )
    statement = (
        select(
            asked.process_number,
            asked.first_requested_at,
            asked.last_requested_at,
            processes.c.secrecy_level,
            processes.c.fetched_at,
            hides,
            *prefixed(COLUMNS, "job_"),
            listed.label("listed"),
            job_references.c.reference,
            *prefixed(counts.c, "public_"),
        )
        .join(processes, processes.c.process_number == asked.process_number, isouter=True)
        .join(jobs, jobs.c.job_id == newest, isouter=True)
        .join(known, known.c.job_id == jobs.c.job_id, isouter=True)
        .join(counts, true(), isouter=True)
        .join(job_references, _reference_of(newest, asked.client_id), isouter=True)
        .where(asked.client_id == viewer.client_id, shown_case(viewer))
        .order_by(asked.last_requested_at.desc(), asked.process_number.desc())
        .limit(wanted.limit + 1)
    )
    if wanted.status is not None:
        statement = statement.where(_status(hides, counts.c) == wanted.status)
    if before is not None:
        statement = statement.where(tuple_(asked.last_requested_at, asked.process_number) < tuple_(*before))
    return statement


def _reference_of(job_id: ColumnElement[Any], client_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Where a client's own name for a job stands."""
    return and_(job_references.c.job_id == job_id, job_references.c.client_id == client_id)


def _status(hides: ColumnElement[bool], counts: Any) -> ColumnElement[str]:
    """The same rule as Job.status and Job.as_counted, so that pages of one status are whole."""
    known = progress.jobs.c
    ended = known.completed_at.is_not(None)
    counted = case(
        (counts.failed == 0, literal(JobStatus.COMPLETED.value, Text)),
        (counts.available > 0, literal(JobStatus.PARTIAL.value, Text)),
        else_=literal(JobStatus.FAILED.value, Text),
    )
    return case(
        (and_(ended, hides.element, known.error_code.is_(None)), counted),
        (ended, known.status),
        (jobs.c.cancelled_at.is_not(None), literal(JobStatus.CANCELLED.value, Text)),
        (and_(jobs.c.job_id.is_not(None), known.job_id.is_(None)), literal(JobStatus.PENDING.value, Text)),
        (jobs.c.job_id.is_not(None), literal(JobStatus.PROCESSING.value, Text)),
    )


def _entry(row: Row[Any]) -> dict[str, Any]:
    job = job_of(row, "job_")
    if job is not None and row.hides:
        job = job.as_counted(SeenCounts(row.public_total, row.public_available, row.public_failed))
    return {
        "process_number": row.process_number,
        "first_requested_at": rfc3339(row.first_requested_at),
        "last_requested_at": rfc3339(row.last_requested_at),
        "secrecy_level": row.secrecy_level,
        "sealed": row.fetched_at is not None and not is_public_case(row.secrecy_level),
        "job": own_job_view(job, row.listed, row.reference) if job is not None else None,
        "links": process_links(row.process_number),
    }
