"""Which of the jobs at hand a client has cancelled: asked with each batch, and again every few seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from services.downloader.catalog_queries import cancelled_jobs
from shared.db.engine import Database

_KEPT: Final = 10_000
_SECONDS: Final = 60.0
"""A job of which no document has had its turn for so long has ended, or waits for an outage to end."""


class Cancellations:
    """Knows the jobs seen in the last minute (at most 10,000), the cancelled ones for longer. For one event loop.

    A job that was forgotten counts as not cancelled until the next refresh, as one does that is new: a document may
    then be fetched for nothing, but none is left out by mistake.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        # In the order in which they were last seen.
        self._open: OrderedDict[str, float] = OrderedDict()
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._watching: dict[str, list[Callable[[], None]]] = {}

    def __len__(self) -> int:
        """How many jobs are asked for at each refresh."""
        return len(self._open.keys() | self._watching.keys())

    def __contains__(self, job_id: str) -> bool:
        """Whether the job was cancelled, as far as was last heard."""
        self.note((job_id,))
        return job_id in self._cancelled

    def note(self, job_ids: Collection[str], cancelled: Collection[str] = ()) -> None:
        """These jobs are at hand; those in ``cancelled`` are cancelled."""
        now = self._clock()
        for job_id in job_ids:
            if job_id in cancelled or job_id in self._cancelled:
                self._cancel(job_id)
            else:
                self._open[job_id] = now
                self._open.move_to_end(job_id)
        while len(self._open) > _KEPT:
            self._open.popitem(last=False)

    @contextmanager
    def watched(self, job_id: str, cancelled: Callable[[], None]) -> Iterator[None]:
        """While in the block, ``cancelled`` is called when it is heard that the job was."""
        self._watching.setdefault(job_id, []).append(cancelled)
        try:
            yield
        finally:
            self._watching[job_id].remove(cancelled)
            if not self._watching[job_id]:
                del self._watching[job_id]

    def _cancel(self, job_id: str) -> None:
        for cancelled in self._watching.get(job_id, ()):
            cancelled()
        self._open.pop(job_id, None)
        self._cancelled[job_id] = None
        self._cancelled.move_to_end(job_id)
        if len(self._cancelled) > _KEPT:
            self._cancelled.popitem(last=False)

    async def refresh(self) -> None:
        """Ask again, with one statement for all. The heartbeat of each source calls it. Raises InfrastructureAway."""
        now = self._clock()
        while self._open and next(iter(self._open.values())) < now - _SECONDS:
            self._open.popitem(last=False)
        asked = list(self._open.keys() | self._watching.keys())
        if not asked:
            return
        for job_id in await self._database.autocommit(lambda connection: cancelled_jobs(connection, asked)):
            self._cancel(job_id)
