"""The rows of a job that a request starts, in one statement: who asked, the job, its webhook, and the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from services.api.jobs.model import CaseJob
from services.api.jobs.participants import WantedWebhook
from shared.db import catalog
from shared.db.channels import NOTIFY_LATER
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.domain.secrecy import Viewer
from shared.outbox.write import as_rows, insert_rows
from shared.records import OutgoingRecord


@dataclass(frozen=True)
class StartedJob:
    """A job that is to be written."""

    job: CaseJob
    retry_failed: bool
    """Whether the planner also tries again what failed for good."""
    traceparent: str | None
    webhook: WantedWebhook | None
    records: Sequence[OutgoingRecord]
    """What it has published, in this order."""


# A data-modifying WITH: one snapshot, one round trip, planned once. The foreign keys are looked at when all of it is
# done, so that the webhook's finds the job. How many jobs were active is counted without this one.
_START: Final = PreparedText(
    "autos_start_job",
    f"""
    WITH asked AS (
        INSERT INTO catalog.process_requests
            (client_id, process_number, first_requested_at, last_requested_at, sealed)
        SELECT :client_id, :number, :now, :now, :sealed WHERE :note
        ON CONFLICT (client_id, process_number) DO UPDATE SET last_requested_at = excluded.last_requested_at,
            sealed = process_requests.sealed OR excluded.sealed
    ), job AS (
        INSERT INTO catalog.jobs
            (job_id, process_number, client_id, scope, discover, retry_failed, webhook_url, created_at, traceparent)
        VALUES (:job_id, :number, :client_id, :scope, :discover, :retry_failed, :url, :now, :traceparent)
    ), webhook AS (
        INSERT INTO catalog.job_webhooks
            (subscription_id, job_id, client_id, url, sealed, payload, reference, created_at)
        SELECT :subscription_id, :job_id, :client_id, :url, :sealed, :payload, :reference, :now WHERE :url IS NOT NULL
    ), events AS (
        {insert_rows(catalog.outbox)}
    )
    SELECT (SELECT count(*) FROM catalog.jobs WHERE client_id = :client_id AND active) AS active_jobs,
           {NOTIFY_LATER}
    """,  # noqa: S608 - names of our own
    number="text",
    client_id="text",
    now="timestamptz",
    sealed="boolean",
    note="boolean",
    job_id="uuid",
    scope="text",
    discover="boolean",
    retry_failed="boolean",
    traceparent="text",
    url="text",
    subscription_id="uuid",
    payload="text",
    reference="text",
    rows="text",
)


def write_start(
    connection: Connection,
    started: StartedJob,
    viewer: Viewer,
    now: datetime,
    *,
    note: bool,
    first: Sequence[PreparedCall] = (),
) -> int:
    """Write the job and all that begins with it; how many jobs of the client were active before, ended ones among them.

    ``note``: whether it is recorded that the client asked for the case. ``first`` runs before it, in the same round
    trip. The caller holds the case, has released what ended, commits, and then tells of it
    (:mod:`services.api.processes.request.start_notices`). A second active job of the same scope is refused by a unique
    index of the database.
    """
    job, webhook = started.job, started.webhook
    wanted = {
        "number": job.process_number,
        "client_id": job.client_id,
        "now": now,
        "sealed": viewer.sealed,
        "note": note,
        "job_id": job.job_id,
        "scope": job.scope,
        "discover": job.discover,
        "retry_failed": started.retry_failed,
        "traceparent": started.traceparent,
        "url": webhook.url if webhook is not None else None,
        "subscription_id": webhook.subscription_of(job) if webhook is not None else None,
        "payload": webhook.payload if webhook is not None else None,
        "reference": webhook.reference if webhook is not None else None,
        "rows": as_rows(started.records),
    }
    active: int = run_together(connection, *first, PreparedCall(_START, wanted)).one().active_jobs
    return active
