"""The events that a request for a case causes, with ids that a repeat makes again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.api.jobs.model import CaseJob
from services.api.outbox import event_record
from services.api.processes.request.case_request import CaseRequest
from shared.events import topics
from shared.events.envelope import deterministic_id
from shared.events.process_requested import ProcessRequested
from shared.events.webhook_subscribed import CaseAsked, WebhookSubscribed
from shared.records import OutgoingRecord

_NAMED_AT_MOST: Final = 500


def process_requested(
    request: CaseRequest, job: CaseJob, document_ids: Sequence[str] | None, now: datetime, *, verify: bool = False
) -> OutgoingRecord:
    """The ProcessRequested of a job; ``document_ids`` None: the job's row says which documents it covers.

    Raises ValueError for more ids than an event may name: no event grows with a case.
    """
    if document_ids is not None and len(document_ids) > _NAMED_AT_MOST:
        raise ValueError(f"an event names at most {_NAMED_AT_MOST} documents")
    event = ProcessRequested(
        job_id=job.job_id,
        process_number=request.number,
        client_id=request.client_id,
        document_ids=list(document_ids) if document_ids is not None else None,
        discover=job.discover,
        verify=verify,
        created_at=job.created_at,
    )
    return event_record(
        event,
        topics.PROCESS_REQUESTED,
        event_id=deterministic_id("process.requested", job.job_id),
        now=now,
        traceparent=request.traceparent,
    )


def webhook_subscribed(
    request: CaseRequest, job: CaseJob, subscription_id: str, url: str, now: datetime
) -> OutgoingRecord:
    """The WebhookSubscribed of a URL and a job.

    Its id follows from what it says, so the same subscription is the same event. One that gains the scope ``sealed``,
    another payload or another reference is a new event of the same ``subscription_id``.
    """
    event = WebhookSubscribed(
        subscription_id=subscription_id,
        job_id=job.job_id,
        process_number=request.number,
        client_id=request.client_id,
        url=url,
        sealed=request.viewer.sealed,
        payload=request.webhook_payload,
        reference=request.reference,
    )
    # A subscription that gains the scope `sealed`, or another payload or reference, is an event of its own.
    names = ["webhook.subscribed", subscription_id, *(("sealed",) if request.viewer.sealed else ())]
    if request.webhook_payload is not None:
        names.append(request.webhook_payload)
    if request.reference is not None:
        names += ["reference", request.reference]
    return event_record(
        event,
        topics.WEBHOOK_SUBSCRIBED,
        event_id=deterministic_id(*names),
        now=now,
        traceparent=request.traceparent,
    )


def case_asked(request: CaseRequest, job: CaseJob, now: datetime) -> OutgoingRecord:
    """The CaseAsked of a client and a job that has ended."""
    event = CaseAsked(job_id=job.job_id, process_number=request.number, client_id=request.client_id)
    return event_record(
        event,
        topics.WEBHOOK_SUBSCRIBED,
        event_id=deterministic_id("webhook.case_asked", job.job_id, request.client_id),
        now=now,
        traceparent=request.traceparent,
    )
