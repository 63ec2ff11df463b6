"""The version of a case: what its entity tag is made of, and what a long poll compares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, select

from services.api.jobs.model import CaseJob
from shared.db import progress
from shared.db.catalog import jobs, processes
from shared.db.prepared import Prepared


@dataclass(frozen=True)
class CaseVersion:
    """Changes when anything that a client can see of a case changes; cheap to read.

    What a view shows beside the case (the webhook, the reference, what is left out for the viewer) is not in it: the
    entity tag adds that (tags.py). ``jobs`` and ``cancelled`` are counts, ``versions`` is the sum of the jobs'
    versions.
    """

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
        """A short text that is equal for equal versions."""
        parts = (
            _micros(self.fetched_at),
            self.jobs,
            _micros(self.newest),
            self.cancelled,
            self.versions,
        )
        return "-".join(format(part, "x") for part in parts)

    def after(self, fetched_at: datetime | None, started: CaseJob | None) -> CaseVersion:
        """The version once the case has been read at ``fetched_at`` and this job was created (None: no job)."""
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
"""What :func:`version_of` makes a version of, over the jobs of the case ``:number``."""

JOBS_OF_CASE: Final = (
    select(*TOTALS)
    .select_from(jobs.join(_known, _known.c.job_id == jobs.c.job_id, isouter=True))
    .where(jobs.c.process_number == bindparam("number"))
)
_FETCHED_AT: Final = (
    select(processes.c.fetched_at).where(processes.c.process_number == bindparam("number")).scalar_subquery()
)
_VERSION: Final = Prepared("autos_case_version", JOBS_OF_CASE.add_columns(_FETCHED_AT.label("fetched_at")))


def version_of(row: Row[Any]) -> CaseVersion:
    """The version of a row with :data:`TOTALS` and ``fetched_at``."""
    return CaseVersion(
        row.fetched_at, row.jobs, row.newest, row.cancelled, versions=int(row.versions), ended=row.running == 0
    )


def read_version(connection: Connection, process_number: str) -> CaseVersion | None:
    """The version of a case; None when it was never asked for."""
    row = _VERSION.run(connection, {"number": str(process_number)}).one()
    version = version_of(row)
    return version if version.is_known else None
