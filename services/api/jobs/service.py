"""Shows a job, and cancels one: the projection learns of it by an event, as of everything else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.api.documents.links import LinkCache
from services.api.http.problems import JobFinished, JobNotFound, JobShared, NotYourJob
from services.api.jobs import repository
from services.api.jobs.model import Job
from services.api.jobs.participants import is_shared
from services.api.processes.follow.changes import announce
from services.api.processes.request.events import SOURCE
from services.api.processes.view.reading import CaseParts, read_status
from shared.clock import Clock
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.db.visibility import read_sight
from shared.domain.secrecy import Sight, Viewer
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

    async def show(self, job_id: str, viewer: Viewer, *, documents: bool = True) -> dict[str, Any]:
        """The StatusView of a job, with or without its documents.

        Raises JobNotFound, also for a job of a case that the viewer does not see.
        """
        parts = await self._database.read(lambda connection: _parts(connection, job_id, viewer, documents=documents))
        return await self._links.build(parts.status, len(parts.documents))

    async def cancel(self, job_id: str, viewer: Viewer, traceparent: str) -> dict[str, Any]:
        """End a job; what is being downloaded now may still become available.

        Raises JobNotFound, NotYourJob, JobShared (another client is on it), JobFinished. A job that was cancelled
        before is shown as it is.
        """
        parts = await self._database.run(lambda connection: self._cancel(connection, job_id, viewer, traceparent))
        return await self._links.build(parts.status, len(parts.documents))

    def _cancel(self, connection: Connection, job_id: str, viewer: Viewer, traceparent: str) -> CaseParts:
        lock_case(connection, _find(connection, job_id, viewer)[0].process_number)
        job, _ = _find(connection, job_id, viewer)
        if job.client_id != viewer.client_id:
            raise NotYourJob
        if job.cancelled_at is None:
            if job.ended:
                raise JobFinished
            if is_shared(connection, job_id, job.client_id):
                raise JobShared
            self._abort(connection, job, traceparent)
        return _parts(connection, job_id, viewer)

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


def _find(connection: Connection, job_id: str, viewer: Viewer) -> tuple[Job, Sight]:
    """A job of a case that the viewer sees, unless it is that of a document which it does not see."""
    job = repository.find_job(connection, job_id)
    sight = read_sight(connection, viewer, job.process_number) if job is not None else None
    if job is None or sight is None or not repository.is_shown(connection, job, sight):
        raise JobNotFound
    return job, sight


def _parts(connection: Connection, job_id: str, viewer: Viewer, *, documents: bool = True) -> CaseParts:
    job, sight = _find(connection, job_id, viewer)
    seen = repository.as_seen(connection, job, sight)
    return read_status(connection, job.process_number, sight, seen, documents=documents)
