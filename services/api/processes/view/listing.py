"""The cases that a client has asked for, the latest first, with the state of each one's newest job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
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
from services.api.jobs.model import Counts, JobStatus, job_view
from services.api.jobs.repository import COLUMNS, job_of
from services.api.processes.view.views import process_links
from shared.clock import rfc3339
from shared.db import progress
from shared.db.catalog import documents, jobs, process_requests, processes
from shared.db.engine import Database
from shared.db.visibility import (
    PUBLIC_DOCUMENT,
    public_counts,
    sealed_document_of,
    shown_case,
    shown_job_in,
)
from shared.domain.secrecy import Viewer


@dataclass(frozen=True)
class Wanted:
    """Which cases are listed."""

    status: str | None = None
    cursor: str | None = None
    limit: int = 50


class CaseListing:
    """Lists one client's cases, those that its key sees."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, viewer: Viewer, wanted: Wanted) -> dict[str, Any]:
        """The CasePage. Raises InvalidCursor."""
        before = cursors.decode(wanted.cursor) if wanted.cursor is not None else None

        def read(connection: Connection) -> dict[str, Any]:
            rows = connection.execute(_statement(viewer, wanted, before)).all()
            shown = rows[: wanted.limit]
            last = shown[-1] if len(rows) > wanted.limit else None
            return {
                "processes": [_entry(row) for row in shown],
                "next_cursor": cursors.encode(last.last_requested_at, last.process_number) if last else None,
            }

        return await self._database.read(read)


_SHOWN = 4
"""Columns before those of the job: the case, when it was asked for first and last, and whether documents are hidden."""
_COUNTS = 4
"""Columns behind them: the documents that are listed, and the counts of the public ones."""


def _statement(viewer: Viewer, wanted: Wanted, before: tuple[datetime, str] | None) -> Select[Any]:
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
        public_counts(asked.process_number, func.coalesce(jobs.c.scope, literal_column("'all'", Text)))
        .where(and_(not_(sees_sealed), sealed_document_of(asked.process_number)))
        .correlate(process_requests, jobs)
        .lateral("counts")
    )
    statement = (
        select(
            asked.process_number,
            asked.first_requested_at,
            asked.last_requested_at,
            hides,
            *COLUMNS,
            listed.label("listed"),
            *counts.c,
        )
        .join(processes, processes.c.process_number == asked.process_number, isouter=True)
        .join(jobs, jobs.c.job_id == newest, isouter=True)
        .join(known, known.c.job_id == jobs.c.job_id, isouter=True)
        .join(counts, true(), isouter=True)
        .where(asked.client_id == viewer.client_id, shown_case(viewer))
        .order_by(asked.last_requested_at.desc(), asked.process_number.desc())
        .limit(wanted.limit + 1)
    )
    if wanted.status is not None:
        statement = statement.where(_status(hides, counts.c) == wanted.status)
    if before is not None:
        statement = statement.where(tuple_(asked.last_requested_at, asked.process_number) < tuple_(*before))
    return statement


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


def _entry(row: Sequence[Any]) -> dict[str, Any]:
    number, first, last, hides = row[:_SHOWN]
    listed, *counted = row[-_COUNTS:]
    job = job_of(row[_SHOWN:-_COUNTS])
    if job is not None and hides:
        job = job.as_counted(Counts(*counted))
    return {
        "process_number": number,
        "first_requested_at": rfc3339(first),
        "last_requested_at": rfc3339(last),
        "job": job_view(job, listed) if job is not None else None,
        "links": process_links(number),
    }
