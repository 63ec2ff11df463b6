"""Shows a job by its id, and cancels one: the projection learns of that by an event, as of everything else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection

from services.api.http.problems import JobFinished, JobNotFound, JobShared, NotYourJob
from services.api.http.provided import provided
from services.api.jobs import aborts, repository
from services.api.jobs.model import CaseJob
from services.api.jobs.participants import is_shared
from services.api.outbox import publish
from services.api.processes.follow.changes import announce
from services.api.processes.view.case_parts import CaseParts, read_status
from services.api.processes.view.link_cache import LinkCache
from shared.clock import Clock
from shared.db.case_store import lock_case
from shared.db.engine import Database
from shared.db.visibility import read_sight
from shared.domain.secrecy import Sight, Viewer


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
        parts = await self._database.snapshot(
            lambda connection: _parts(connection, job_id, viewer, documents=documents)
        )
        return await self._links.build(parts.status, len(parts.documents))

    async def cancel(self, job_id: str, viewer: Viewer, traceparent: str) -> dict[str, Any]:
        """End a job at once; what is being downloaded now may still become available. Commits.

        A job that was cancelled before is shown as it is, so a repeat is harmless.

        Raises:
            JobNotFound: there is none, or not for this viewer.
            NotYourJob: another client started it.
            JobShared: another client is on it.
            JobFinished: it has ended already.
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

    def _abort(self, connection: Connection, job: CaseJob, traceparent: str) -> None:
        now = self._clock()
        repository.cancel(connection, job.job_id, now)
        publish(connection, [aborts.cancelled(job, now, traceparent)], now)
        announce(connection, job.process_number)


Jobs = Annotated[JobService, Depends(provided(JobService))]


def _find(connection: Connection, job_id: str, viewer: Viewer) -> tuple[CaseJob, Sight]:
    """A job of a case that the viewer sees, unless it is that of a document which it does not see."""
    job = repository.find_job(connection, job_id)
    sight = read_sight(connection, viewer, job.process_number) if job is not None else None
    if job is None or sight is None or not repository.is_shown(connection, job, sight):
        raise JobNotFound
    return job, sight


def _parts(connection: Connection, job_id: str, viewer: Viewer, *, documents: bool = True) -> CaseParts:
    job, sight = _find(connection, job_id, viewer)
    seen = repository.as_seen(connection, job, sight)
    return read_status(connection, job.process_number, sight, seen, viewer.client_id, documents=documents)
