"""The SQL of jobs and of the webhooks attached to them: ``catalog.{jobs,job_webhooks}`` and ``progress.jobs``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.api.jobs.model import Job, Progress
from shared.db import progress
from shared.db.catalog import job_webhooks, jobs
from shared.events.webhook_subscribed import subscription_id


def _statement() -> Select[Any]:
    known = progress.jobs
    return select(
        jobs,
        known.c.job_id.label("projected"),
        known.c.status,
        known.c.total_documents,
        known.c.completed_documents,
        known.c.failed_documents,
        known.c.started_at,
        known.c.completed_at,
        known.c.error_code,
        known.c.error_message,
        known.c.version,
    ).join(known, known.c.job_id == jobs.c.job_id, isouter=True)


def _job(row: Row[Any]) -> Job:
    projected = None
    if row.projected is not None:
        projected = Progress(
            row.status,
            row.total_documents,
            row.completed_documents,
            row.failed_documents,
            row.started_at,
            row.completed_at,
            row.error_code,
            row.error_message,
            row.version,
        )
    return Job(
        row.job_id,
        row.process_number,
        row.client_id,
        row.scope,
        row.discover,
        row.active,
        row.created_at,
        row.cancelled_at,
        projected,
    )


def find_job(connection: Connection, job_id: str) -> Job | None:
    """One job, or None."""
    row = connection.execute(_statement().where(jobs.c.job_id == job_id)).one_or_none()
    return _job(row) if row is not None else None


def last_of_scope(connection: Connection, process_number: str, scope: str) -> Job | None:
    """The newest job of a scope: the active one when there is one."""
    row = connection.execute(
        _statement()
        .where(jobs.c.process_number == process_number, jobs.c.scope == scope)
        .order_by(jobs.c.created_at.desc())
        .limit(1)
    ).one_or_none()
    return _job(row) if row is not None else None


def last_of_case(connection: Connection, process_number: str) -> Job | None:
    """The newest job of a case, of any scope."""
    row = connection.execute(
        _statement().where(jobs.c.process_number == process_number).order_by(jobs.c.created_at.desc()).limit(1)
    ).one_or_none()
    return _job(row) if row is not None else None


def release_ended(connection: Connection, process_number: str) -> None:
    """Clear ``active`` where the projection has ended a job of the case, so that another one may start."""
    connection.execute(
        update(jobs)
        .where(
            jobs.c.process_number == process_number,
            jobs.c.active,
            progress.jobs.c.job_id == jobs.c.job_id,
            progress.jobs.c.completed_at.is_not(None),
        )
        .values(active=False)
    )


def count_active(connection: Connection, client_id: str) -> int:
    """How many jobs of a client have not ended."""
    known = progress.jobs
    counted: int = connection.execute(
        select(func.count())
        .select_from(jobs.join(known, known.c.job_id == jobs.c.job_id, isouter=True))
        .where(jobs.c.client_id == client_id, jobs.c.active, known.c.completed_at.is_(None))
    ).scalar_one()
    return counted


def create_job(
    connection: Connection,
    *,
    process_number: str,
    client_id: str,
    scope: str,
    discover: bool,
    webhook_url: str | None,
    now: datetime,
) -> Job:
    """A new active job. The caller holds the case's lock and has released what ended."""
    job_id = str(uuid.uuid4())
    connection.execute(
        insert(jobs).values(
            job_id=job_id,
            process_number=process_number,
            client_id=client_id,
            scope=scope,
            discover=discover,
            webhook_url=webhook_url,
            created_at=now,
        )
    )
    return Job(job_id, process_number, client_id, scope, discover, True, now, None)


def cancel(connection: Connection, job_id: str, now: datetime) -> bool:
    """End an active job; False when it had ended already."""
    result = connection.execute(
        update(jobs).where(jobs.c.job_id == job_id, jobs.c.active).values(active=False, cancelled_at=now)
    )
    return result.rowcount == 1


def attach_webhook(connection: Connection, job: Job, client_id: str, url: str, now: datetime) -> tuple[str, bool]:
    """Record a URL to be called when the job ends: its subscription's id, and whether it is new."""
    identity = subscription_id(job.job_id, client_id, url)
    result = connection.execute(
        insert(job_webhooks)
        .values(subscription_id=identity, job_id=job.job_id, client_id=client_id, url=url, created_at=now)
        .on_conflict_do_nothing()
    )
    return identity, result.rowcount == 1


def is_attached(connection: Connection, job: Job, client_id: str, url: str) -> bool:
    """Whether the URL of this client will be called when the job ends, or was."""
    identity = subscription_id(job.job_id, client_id, url)
    found = connection.execute(select(job_webhooks.c.job_id).where(job_webhooks.c.subscription_id == identity))
    return found.first() is not None


def has_webhook(connection: Connection, job_id: str) -> bool:
    """Whether anybody will be called when the job ends."""
    return (
        connection.execute(select(job_webhooks.c.job_id).where(job_webhooks.c.job_id == job_id).limit(1)).first()
        is not None
    )


def other_subscribers(connection: Connection, job_id: str, client_id: str) -> bool:
    """Whether another client will be called when the job ends."""
    found = connection.execute(
        select(job_webhooks.c.job_id)
        .where(and_(job_webhooks.c.job_id == job_id, job_webhooks.c.client_id != client_id))
        .limit(1)
    ).first()
    return found is not None


def release_ended_jobs(connection: Connection, limit: int = 1000) -> int:
    """Clear ``active`` of jobs of any case that the projection has ended; how many there were.

    Rows that a request holds are left to that request.
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
