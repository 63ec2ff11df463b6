"""Starts a job for a request: its row, its webhook, and the event that has it planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from services.api.http.problems import TooManyActiveJobs
from services.api.jobs import repository as jobs
from services.api.jobs.participants import WantedWebhook
from services.api.processes.request import events
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import StoredCase, must_verify
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.start_rows import StartedJob, write_start
from shared.db.prepared import PreparedCall


def start_job(
    connection: Connection,
    request: CaseRequest,
    stored: StoredCase,
    rules: RequestRules,
    *,
    away: bool,
    note: bool,
    now: datetime,
    first: Sequence[PreparedCall] = (),
) -> StartedJob:
    """Create the job with its webhook, publish its events, and record the request where ``note`` says so.

    Jobs of the case that have ended are released first. ``away``: the source was not read, so the job discovers the
    documents itself. ``first`` runs before it, in the same round trip. The caller holds the case and commits. Raises
    TooManyActiveJobs, which undoes the transaction.
    """
    if stored.last is not None:
        jobs.release_ended(connection, request.number)
    job = jobs.new_job(request.number, request.client_id, request.scope, discover=away, now=now)
    wanted = [request.document_id] if request.document_id is not None else None
    records = [events.process_requested(request, job, wanted, now, verify=must_verify(request, stored))]
    webhook = None
    if request.webhook_url is not None:
        webhook = wanted_webhook(request, request.webhook_url)
        records.append(events.webhook_subscribed(request, job, webhook.subscription_of(job), request.webhook_url, now))
    started = StartedJob(job, request.retry_failed, request.traceparent, webhook, records)
    active = write_start(connection, started, request.viewer, now, note=note, first=first)
    # Those that have ended and are not released yet do not count: they are told apart only where it matters.
    if active >= rules.max_active_jobs and jobs.count_active(connection, request.client_id) > rules.max_active_jobs:
        raise TooManyActiveJobs(f"a client may have {rules.max_active_jobs} active jobs", headers={"Retry-After": "30"})
    return started


def wanted_webhook(request: CaseRequest, url: str) -> WantedWebhook:
    """The webhook that a request wants called at this URL."""
    return WantedWebhook(request.client_id, url, request.viewer.sealed, request.reference, request.webhook_payload)
