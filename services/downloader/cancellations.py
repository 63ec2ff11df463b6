"""Which of the jobs at hand a client has cancelled: asked with each batch, and again every few seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from services.downloader.stored import cancelled_jobs
from shared.db.engine import Database

_KEPT = 10_000


class Cancellations:
    """Knows the latest jobs seen (at most 10,000). A cancelled job stays so: only the others are asked for again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: OrderedDict[str, bool] = OrderedDict()

    def __contains__(self, job_id: str) -> bool:
        """Whether the job was cancelled, as far as was last heard."""
        self.note((job_id,))
        return self._jobs[job_id]

    def note(self, job_ids: Collection[str], cancelled: Collection[str] = ()) -> None:
        """These jobs are at hand; those in ``cancelled`` are cancelled."""
        for job_id in job_ids:
            self._jobs[job_id] = self._jobs.get(job_id, False) or job_id in cancelled
            self._jobs.move_to_end(job_id)
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)

    async def refresh(self) -> None:
        """Ask again. Raises InfrastructureAway."""
        open_jobs = [job_id for job_id, cancelled in self._jobs.items() if not cancelled]
        for job_id in await self._database.run(lambda connection: cancelled_jobs(connection, open_jobs)):
            self._jobs[job_id] = True
