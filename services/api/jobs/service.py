"""Shows a job, and cancels one: the projection learns of it by an event, as of everything else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.api.changes import announce
from services.api.jobs import repository
from services.api.jobs.model import Job
from services.api.links import LinkCache
from services.api.problems import JobFinished, JobNotFound, JobShared, NotYourJob
from services.api.processes.events import SOURCE
from services.api.processes.reading import CaseParts, read_status
from shared.clock import Clock
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.events import topics
from shared.events.document_events import JobAborted
from shared.events.envelope import deterministic_id, encode
from shared.outbox.write import write


class JobService:
    """The jobs by their ids."""

    def __init__(self, database: Database, links: LinkCache, clock: Clock) -> None:
        self._database = database
        self._links = links
        self._clock = clock

    async def show(self, job_id: str, *, documents: bool = True) -> dict[str, Any]:
        """The StatusView of a job, with or without its documents. Raises JobNotFound."""
        parts = await self._database.read(lambda connection: _parts(connection, job_id, documents=documents))
        return await self._links.build(parts.status, len(parts.documents))

    async def cancel(self, job_id: str, client_id: str, traceparent: str) -> dict[str, Any]:
        """End a job; what is being downloaded now may still become available.

        Raises JobNotFound, NotYourJob, JobShared (another client waits for it), JobFinished. A job that was cancelled
        before is shown as it is.
        """
        parts = await self._database.run(lambda connection: self._cancel(connection, job_id, client_id, traceparent))
        return await self._links.build(parts.status, len(parts.documents))

    def _cancel(self, connection: Connection, job_id: str, client_id: str, traceparent: str) -> CaseParts:
        lock_case(connection, _find(connection, job_id).process_number)
        job = _find(connection, job_id)
        if job.client_id != client_id:
            raise NotYourJob
        if job.cancelled_at is None:
            if job.ended:
                raise JobFinished
            if repository.other_subscribers(connection, job_id, job.client_id):
                raise JobShared
            self._abort(connection, job, traceparent)
        return _parts(connection, job_id)

    def _abort(self, connection: Connection, job: Job, traceparent: str) -> None:
        now = self._clock()
        repository.cancel(connection, job.job_id, now)
        aborted = JobAborted(
            job_id=job.job_id,
            process_number=job.process_number,
            error_code="cancelled",
            error_message="the job was cancelled",
            created_at=job.created_at,
        )
        record = encode(
            aborted,
            topics.DOCUMENT_EVENTS,
            event_id=deterministic_id("job.cancelled", job.job_id),
            source=SOURCE,
            time=now,
            traceparent=traceparent,
        )
        write(connection, catalog.outbox, [record], now=now)
        announce(connection, job.process_number)


def _find(connection: Connection, job_id: str) -> Job:
    job = repository.find_job(connection, job_id)
    if job is None:
        raise JobNotFound
    return job


def _parts(connection: Connection, job_id: str, *, documents: bool = True) -> CaseParts:
    job = _find(connection, job_id)
    return read_status(connection, job.process_number, job, documents=documents)
