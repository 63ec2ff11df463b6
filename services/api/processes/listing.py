"""The cases that a client has asked for, the latest first, with the state of each one's newest job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Text, and_, case, literal, select, tuple_

from services.api import cursors
from services.api.jobs.model import Job, JobStatus, job_view
from services.api.jobs.repository import last_of_case
from services.api.processes.repository import count_documents
from services.api.processes.views import process_links
from shared.clock import rfc3339
from shared.db import progress
from shared.db.catalog import jobs, process_requests
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
            # The same rule as Job.status, so that pages of one status are whole.
            status = case(
                (known.c.completed_at.is_not(None), known.c.status),
                (jobs.c.cancelled_at.is_not(None), literal(JobStatus.CANCELLED.value, Text)),
                (and_(jobs.c.job_id.is_not(None), known.c.job_id.is_(None)), literal(JobStatus.PENDING.value, Text)),
                (jobs.c.job_id.is_not(None), literal(JobStatus.PROCESSING.value, Text)),
            )
            statement = (
                select(process_requests)
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
                        "job": _job(connection, last_of_case(connection, row.process_number)),
                        "links": process_links(row.process_number),
                    }
                    for row in shown
                ],
                "next_cursor": cursors.encode(last.last_requested_at, last.process_number) if last else None,
            }

        return await self._database.run(read)


def _job(connection: Connection, job: Job | None) -> dict[str, Any] | None:
    return job_view(job, count_documents(connection, job.process_number)) if job is not None else None
