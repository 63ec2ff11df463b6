"""The cases that a client has asked for, the latest first, with the state of each one's newest job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Text, and_, case, func, literal, select, tuple_

from services.api import cursors
from services.api.jobs.model import JobStatus, job_view
from services.api.jobs.repository import COLUMNS, job_of
from services.api.processes.views import process_links
from shared.clock import rfc3339
from shared.db import progress
from shared.db.catalog import documents, jobs, process_requests
from shared.db.engine import Database


@dataclass(frozen=True)
class Wanted:
    """Which cases are listed."""

    status: str | None = None
    cursor: str | None = None
    limit: int = 50


class CaseListing:
    """Lists one client's cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, client_id: str, wanted: Wanted) -> dict[str, Any]:
        """The CasePage. Raises InvalidCursor."""
        before = cursors.decode(wanted.cursor) if wanted.cursor is not None else None

        def read(connection: Connection) -> dict[str, Any]:
            newest = (
                select(jobs.c.job_id)
                .where(jobs.c.process_number == process_requests.c.process_number)
                .order_by(jobs.c.created_at.desc())
                .limit(1)
                .correlate(process_requests)
                .scalar_subquery()
            )
            known = progress.jobs
            columns = len(process_requests.c)
            total = (
                select(func.count())
                .select_from(documents)
                .where(documents.c.process_number == process_requests.c.process_number)
                .correlate(process_requests)
                .scalar_subquery()
            )
            # The same rule as Job.status, so that pages of one status are whole.
            status = case(
                (known.c.completed_at.is_not(None), known.c.status),
                (jobs.c.cancelled_at.is_not(None), literal(JobStatus.CANCELLED.value, Text)),
                (and_(jobs.c.job_id.is_not(None), known.c.job_id.is_(None)), literal(JobStatus.PENDING.value, Text)),
                (jobs.c.job_id.is_not(None), literal(JobStatus.PROCESSING.value, Text)),
            )
            statement = (
                select(process_requests, *COLUMNS, total.label("total"))
                .join(jobs, jobs.c.job_id == newest, isouter=True)
                .join(known, known.c.job_id == jobs.c.job_id, isouter=True)
                .where(process_requests.c.client_id == client_id)
                .order_by(process_requests.c.last_requested_at.desc(), process_requests.c.process_number.desc())
                .limit(wanted.limit + 1)
            )
            if wanted.status is not None:
                statement = statement.where(status == wanted.status)
            if before is not None:
                key = tuple_(process_requests.c.last_requested_at, process_requests.c.process_number)
                statement = statement.where(key < tuple_(*before))
            rows = connection.execute(statement).all()
            shown = rows[: wanted.limit]
            last = shown[-1] if len(rows) > wanted.limit else None
            return {
                "processes": [
                    {
                        "process_number": row.process_number,
                        "first_requested_at": rfc3339(row.first_requested_at),
                        "last_requested_at": rfc3339(row.last_requested_at),
                        "job": _job(row[columns:-1], row.total),
                        "links": process_links(row.process_number),
                    }
                    for row in shown
                ],
                "next_cursor": cursors.encode(last.last_requested_at, last.process_number) if last else None,
            }

        return await self._database.read(read)


def _job(values: Sequence[Any], documents: int) -> dict[str, Any] | None:
    job = job_of(values)
    return job_view(job, documents) if job is not None else None
