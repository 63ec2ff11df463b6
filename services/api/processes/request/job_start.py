"""Starts a job for a request: its row, and the event that has it planned."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from services.api.http.problems import TooManyActiveJobs
from services.api.jobs import repository as jobs
from services.api.jobs.model import CaseJob
from services.api.processes.request import events
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import StoredCase, must_verify
from services.api.processes.request.rules import RequestRules
from shared.records import OutgoingRecord


def start_job(
    connection: Connection, request: CaseRequest, stored: StoredCase, rules: RequestRules, *, away: bool, now: datetime
) -> tuple[CaseJob, OutgoingRecord]:
    """Create the job and make its ProcessRequested. The caller holds the case, publishes the event and commits.

    Jobs of the case that have ended are released first. ``away``: the source was not read, so the job discovers the
    documents itself. Raises TooManyActiveJobs, before anything is written.
    """
    if jobs.count_active(connection, request.client_id) >= rules.max_active_jobs:
        raise TooManyActiveJobs(f"a client may have {rules.max_active_jobs} active jobs", headers={"Retry-After": "30"})
    if stored.last is not None:
        jobs.release_ended(connection, request.number)
    job = jobs.create_job(
        connection,
        process_number=request.number,
        client_id=request.client_id,
        scope=request.scope,
        discover=away,
        retry_failed=request.retry_failed,
        webhook_url=request.webhook_url,
        now=now,
        traceparent=request.traceparent,
    )
    wanted = [request.document_id] if request.document_id is not None else None
    return job, events.process_requested(request, job, wanted, now, verify=must_verify(request, stored))
