"""Starts a job for a request: its row, and the event that has it planned."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from services.api.http.problems import TooManyActiveJobs
from services.api.jobs import repository as jobs
from services.api.jobs.model import CaseJob
from services.api.processes.request import events
from services.api.processes.request.ask import Ask
from services.api.processes.request.decisions import StoredCase, must_verify
from services.api.processes.request.rules import RequestRules
from shared.records import OutgoingRecord


def start_job(
    connection: Connection, ask: Ask, stored: StoredCase, rules: RequestRules, *, away: bool, now: datetime
) -> tuple[CaseJob, OutgoingRecord]:
    """The job and its event. The caller holds the case. Raises TooManyActiveJobs."""
    if jobs.count_active(connection, ask.client_id) >= rules.max_active_jobs:
        raise TooManyActiveJobs(f"a client may have {rules.max_active_jobs} active jobs", headers={"Retry-After": "30"})
    if stored.last is not None:
        jobs.release_ended(connection, ask.number)
    job = jobs.create_job(
        connection,
        process_number=ask.number,
        client_id=ask.client_id,
        scope=ask.scope,
        discover=away,
        retry_failed=ask.retry_failed,
        webhook_url=ask.webhook_url,
        now=now,
    )
    wanted = [ask.document_id] if ask.document_id is not None else None
    return job, events.process_requested(ask, job, wanted, now, verify=must_verify(ask, stored))
