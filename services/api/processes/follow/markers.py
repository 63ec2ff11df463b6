"""The marker of a case: what its entity tag is made of, and what the long poll compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from services.api.jobs.model import Job
from shared.db import progress
from shared.db.catalog import jobs, processes
from shared.db.prepared import Prepared


@dataclass(frozen=True)
class Marker:
    """Changes when anything that a client can see of a case changes; cheap to read."""

    fetched_at: datetime | None
    jobs: int
    newest: datetime | None
    cancelled: int
    versions: int
    ended: bool
    """Whether the case's newest job is over (or there is none)."""

    @property
    def is_known(self) -> bool:
        """Whether anybody ever asked for the case."""
        return self.fetched_at is not None or self.jobs > 0

    def text(self) -> str:
        """A short text that is equal for equal markers."""
        parts = (
            _micros(self.fetched_at),
            self.jobs,
            _micros(self.newest),
            self.cancelled,
            self.versions,
        )
        return "-".join(format(part, "x") for part in parts)

    def after(self, fetched_at: datetime | None, started: Job | None) -> Marker:
        """The marker once the case has been read at ``fetched_at`` and this job was created (None: no job)."""
        read = replace(self, fetched_at=fetched_at)
        if started is None:
            return read
        newest = started.created_at if self.newest is None else max(self.newest, started.created_at)
        return replace(read, jobs=self.jobs + 1, newest=newest, ended=False)


def _micros(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1_000_000) if moment is not None else 0


_known: Final = progress.jobs

TOTALS: Final = (
    func.count().label("jobs"),
    func.max(jobs.c.created_at).label("newest"),
    func.count(jobs.c.cancelled_at).label("cancelled"),
    func.coalesce(func.sum(_known.c.version), 0).label("versions"),
    func.count().filter(jobs.c.active, _known.c.completed_at.is_(None)).label("running"),
)
"""What :func:`marker_of` makes a marker of, over the jobs of the case ``:number``."""

JOBS_OF_CASE: Final = (
    select(*TOTALS)
    .select_from(jobs.join(_known, _known.c.job_id == jobs.c.job_id, isouter=True))
    .where(jobs.c.process_number == bindparam("number"))
)
_FETCHED_AT: Final = (
    select(processes.c.fetched_at).where(processes.c.process_number == bindparam("number")).scalar_subquery()
)
_MARKER: Final = Prepared("autos_marker", JOBS_OF_CASE.add_columns(_FETCHED_AT.label("fetched_at")))


def marker_of(fetched_at: datetime | None, totals: Sequence[Any]) -> Marker:
    """The marker of a row's :data:`TOTALS`."""
    count, newest, cancelled, versions, running = totals
    return Marker(fetched_at, count, newest, cancelled, int(versions), running == 0)


def read_marker(connection: Connection, process_number: str) -> Marker | None:
    """The marker of a case; None when it was never asked for."""
    row = _MARKER.run(connection, {"number": str(process_number)}).one()
    marker = marker_of(row[5], row[:5])
    return marker if marker.is_known else None
