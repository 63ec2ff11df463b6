"""The SQL of jobs and of the webhooks attached to them: ``catalog.{jobs,job_webhooks}`` and ``progress.jobs``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Label, Row, Text, and_, bindparam, func, literal, select, true, update

from services.api.jobs.model import CaseJob, JobProgress, SeenCounts
from shared.db import progress
from shared.db.catalog import jobs
from shared.db.prepared import Prepared
from shared.db.visibility import SHOWN_JOB, public_counts
from shared.domain.secrecy import Sight
from shared.domain.statuses import JobScope

_known: Final = progress.jobs

COLUMNS: Final = (
    jobs.c.job_id,
    jobs.c.process_number,
    jobs.c.client_id,
    jobs.c.scope,
    jobs.c.discover,
    jobs.c.active,
    jobs.c.created_at,
    jobs.c.cancelled_at,
    _known.c.job_id.label("projected"),
    _known.c.status,
    _known.c.total_documents,
    _known.c.completed_documents,
    _known.c.failed_documents,
    _known.c.started_at,
    _known.c.completed_at,
    _known.c.error_code,
    _known.c.error_message,
    _known.c.version,
)
"""What :func:`job_of` makes a job of."""

_OF_JOB: Final = tuple(field.name for field in fields(CaseJob) if field.name != "progress")
_OF_PROGRESS: Final = tuple(field.name for field in fields(JobProgress))

# Statements are made once: making one takes longer than most of them take to run.
_JOBS: Final = select(*COLUMNS).join(_known, _known.c.job_id == jobs.c.job_id, isouter=True)
_BY_ID: Final = _JOBS.where(jobs.c.job_id == bindparam("job_id"))
_IS_SHOWN: Final = select(jobs.c.job_id).where(jobs.c.job_id == bindparam("job_id"), SHOWN_JOB)
LAST_OF_CASE: Final = (
    _JOBS.where(jobs.c.process_number == bindparam("number"), SHOWN_JOB)
    .order_by(jobs.c.created_at.desc())
    .limit(literal(1))
)
"""The newest job of a case, of any scope, that is shown."""
LAST_OF_SCOPE: Final = LAST_OF_CASE.where(jobs.c.scope == bindparam("scope"))
"""The newest job of a scope: the active one when there is one."""
# The same rule as Job.ended.
_RUNS_FOR_ALL: Final = and_(
    jobs.c.scope == JobScope.WHOLE_CASE, jobs.c.active, jobs.c.cancelled_at.is_(None), _known.c.completed_at.is_(None)
)
_SHOWN: Final = Prepared(
    "autos_shown_job",
    _JOBS.where(jobs.c.process_number == bindparam("number"), SHOWN_JOB)
    .order_by(_RUNS_FOR_ALL.desc(), jobs.c.created_at.desc())
    .limit(literal(1)),
)
_COUNT_ACTIVE: Final = Prepared(
    "autos_active_jobs",
    select(func.count())
    .select_from(jobs.join(_known, _known.c.job_id == jobs.c.job_id, isouter=True))
    .where(jobs.c.client_id == bindparam("client_id"), jobs.c.active, _known.c.completed_at.is_(None)),
)
_RELEASE: Final = (
    update(jobs)
    .where(
        jobs.c.process_number == bindparam("number"),
        jobs.c.active,
        _known.c.job_id == jobs.c.job_id,
        _known.c.completed_at.is_not(None),
    )
    .values(active=False)
)
_COUNTS: Final = Prepared(
    "autos_public_counts", public_counts(bindparam("number", type_=Text), bindparam("scope", type_=Text))
)


def prefixed(columns: Iterable[ColumnElement[Any]], prefix: str) -> list[Label[Any]]:
    """Columns under longer names, for a statement with several jobs, or with a case and a job."""
    return [column.label(f"{prefix}{column.key}") for column in columns]


def job_of(row: Row[*tuple[Any, ...]], prefix: str = "") -> CaseJob | None:
    """The job of a row's :data:`COLUMNS`; None when they are those of an outer join that found nothing."""
    found = row._mapping
    if found[f"{prefix}job_id"] is None:
        return None
    return CaseJob(
        **{name: found[f"{prefix}{name}"] for name in _OF_JOB},
        progress=JobProgress(**{name: found[f"{prefix}{name}"] for name in _OF_PROGRESS})
        if found[f"{prefix}projected"] is not None
        else None,
    )


def find_job(connection: Connection, job_id: str) -> CaseJob | None:
    """One job, or None."""
    return _one(connection.execute(_BY_ID, {"job_id": job_id}).one_or_none())


def shown_job(connection: Connection, process_number: str, sight: Sight) -> CaseJob | None:
    """The job that a view of the case shows: the running one for the whole case, else the newest.

    As ``sight`` sees it: not that of a document that is left out, and without those in its counts.
    """
    wanted = {"number": str(process_number), "sealed": sight.sealed}
    job = _one(_SHOWN.run(connection, wanted).one_or_none())
    return as_seen(connection, job, sight) if job is not None else None


def is_shown(connection: Connection, job: CaseJob, sight: Sight) -> bool:
    """Whether the job is one that ``sight`` sees: not that of a document which is left out."""
    if not sight.hides or job.scope == JobScope.WHOLE_CASE:
        return True
    found = connection.execute(_IS_SHOWN, {"job_id": job.job_id, "sealed": sight.sealed})
    return found.first() is not None


def as_seen(connection: Connection, job: CaseJob, sight: Sight) -> CaseJob:
    """A job as ``sight`` sees it: without the documents that are left out."""
    if not sight.hides or job.progress is None:
        return job
    row = _COUNTS.run(connection, {"number": str(job.process_number), "scope": job.scope}).one()
    return job.as_counted(SeenCounts(row.total, row.available, row.failed))


def seen_counts(connection: Connection, job_ids: Sequence[str]) -> dict[str, SeenCounts]:
    """Of each of these jobs, the documents that everybody may count."""
    counts = public_counts(jobs.c.process_number, jobs.c.scope).correlate(jobs).lateral("counts")
    wanted = (
        select(jobs.c.job_id, counts.c.total, counts.c.available, counts.c.failed)
        .select_from(jobs.join(counts, true()))
        .where(jobs.c.job_id.in_(list(job_ids)))
    )
    return {row.job_id: SeenCounts(row.total, row.available, row.failed) for row in connection.execute(wanted)}


def _one(row: Row[*tuple[Any, ...]] | None) -> CaseJob | None:
    return job_of(row) if row is not None else None


def release_ended(connection: Connection, process_number: str) -> None:
    """Clear ``active`` of the jobs of the case that the projection has ended, so that another one may start."""
    connection.execute(_RELEASE, {"number": str(process_number)})


def count_active(connection: Connection, client_id: str) -> int:
    """How many of the jobs that a client started have not ended; those that it joined do not count.

    A job that the projection has ended counts no longer, also while its ``active`` has not been cleared.
    """
    counted: int = _COUNT_ACTIVE.run(connection, {"client_id": client_id}).scalar_one()
    return counted


def new_job(process_number: str, client_id: str, scope: str, *, discover: bool, now: datetime) -> CaseJob:
    """An active job that is not written yet, with an id of its own."""
    return CaseJob(str(uuid.uuid4()), str(process_number), client_id, scope, discover, True, now, None)


def cancel(connection: Connection, job_id: str, now: datetime) -> bool:
    """End an active job; False when it had ended already.

    The caller holds the case's lock, announces the end and commits.
    """
    result = connection.execute(
        update(jobs).where(jobs.c.job_id == job_id, jobs.c.active).values(active=False, cancelled_at=now)
    )
    return result.rowcount == 1


def release_ended_jobs(connection: Connection, limit: int = 1000) -> int:
    """Clear ``active`` of jobs of any case that the projection has ended; how many there were, at most ``limit``.

    Rows that a request holds are left to that request. The caller commits; two at once do no harm.
    """
    ended = (
        select(jobs.c.job_id)
        .join(progress.jobs, progress.jobs.c.job_id == jobs.c.job_id)
        .where(jobs.c.active, progress.jobs.c.completed_at.is_not(None))
        .limit(limit)
        .with_for_update(of=jobs, skip_locked=True)
    )
    result = connection.execute(update(jobs).where(jobs.c.job_id.in_(ended.scalar_subquery())).values(active=False))
    return result.rowcount
