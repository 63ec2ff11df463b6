"""A request that starts no job: whether it changes anything, and how it joins the job that answers it.

Whether a request joins a job or starts one is decided in decisions.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from services.api.jobs import participants
from services.api.jobs.model import CaseJob
from services.api.jobs.references import read_reference
from services.api.outbox import publish
from services.api.processes.follow.changes import announce
from services.api.processes.request import events
from services.api.processes.request.answer import RequestOutcome
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import RequestDecision, RequestStep
from services.api.processes.request.job_start import wanted_webhook
from services.api.processes.request.snapshot import CaseSnapshot
from services.api.webhooks.registered import has_endpoints
from shared.records import OutgoingRecord


@dataclass(frozen=True)
class ChangedRequest:
    """What a request changed."""

    outcome: RequestOutcome
    attaches: bool
    """Whether a webhook is new."""


def join_job(
    connection: Connection, request: CaseRequest, snapshot: CaseSnapshot, outcome: RequestOutcome, now: datetime
) -> ChangedRequest:
    """Join the job that answers the request, if there is one: with a webhook, and as news of a case that is new to the
    client."""
    job = outcome.job
    records: list[OutgoingRecord] = []
    if is_news(connection, request, snapshot, job):
        assert job is not None
        records.append(events.case_asked(request, job, now))
    if request.download and job is not None and not job.ended:
        participants.join(connection, job, request.client_id, now)
    attaches = False
    if request.webhook_url is not None and job is not None:
        wanted = wanted_webhook(request, request.webhook_url)
        identity, attaches = participants.attach_webhook(connection, job, wanted, now)
        outcome = replace(outcome, subscription_id=identity)
        if attaches:
            records.append(events.webhook_subscribed(request, job, identity, request.webhook_url, now))
    if records:
        publish(connection, records, now)
        announce(connection, request.number)
    return ChangedRequest(outcome, attaches)


def is_news(connection: Connection, request: CaseRequest, snapshot: CaseSnapshot, job: CaseJob | None) -> bool:
    """Whether the client's endpoints are to hear now of a job that ended before the client asked for its case."""
    first = snapshot.noted_at is None and job is not None and job.ended
    return first and has_endpoints(connection, request.client_id)


def changes_nothing(connection: Connection, request: CaseRequest, decision: RequestDecision) -> bool:
    """Whether the request changes nothing: no job to start or to join, no webhook to attach.

    Then it need not hold the case.
    """
    if decision.step is not RequestStep.ANSWER:
        return False
    job = decision.job
    if job is None:
        return True
    if request.download and not job.ended and not participants.has_joined(connection, job, request.client_id):
        return False
    if request.reference is not None and request.reference != read_reference(connection, job.job_id, request.client_id):
        return False
    if request.webhook_url is None:
        return True
    return participants.is_attached(connection, job, wanted_webhook(request, request.webhook_url))
