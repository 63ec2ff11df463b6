"""The event that ends a job early: a client cancelled it, or the broker will never take its request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson

from services.api.jobs.model import CANCELLED, CANCELLED_MESSAGE, CaseJob
from services.api.outbox import event_record
from shared.clock import utc_now
from shared.events.document_events import JobAborted
from shared.events.envelope import deterministic_id
from shared.events.process_requested import ProcessRequested
from shared.events.topics import DOCUMENT_EVENTS
from shared.outbox.rows import OutboxRow
from shared.records import OutgoingRecord

EVENT_REFUSED: Final = "event_refused"
"""The ``error_code`` of a job whose request the broker will never take."""


def cancelled(job: CaseJob, now: datetime, traceparent: str) -> OutgoingRecord:
    """The JobAborted of a job that its client cancels.

    Its id depends on the job alone: cancelled twice, it is one event to whoever reads it.
    """
    aborted = JobAborted(
        job_id=job.job_id,
        process_number=job.process_number,
        error_code=CANCELLED,
        error_message=CANCELLED_MESSAGE,
        created_at=job.created_at,
    )
    event_id = deterministic_id("job.cancelled", job.job_id)
    return event_record(aborted, DOCUMENT_EVENTS, event_id=event_id, now=now, traceparent=traceparent)


def aborted_by_broker(row: OutboxRow, reason: str) -> Sequence[OutgoingRecord]:
    """What follows an event that the relay sets aside: JobAborted for a request, so that no client waits in vain.

    Nothing follows the other events: no job begins with them. Raises ValueError, TypeError or KeyError when the row
    does not even name its job.
    """
    if row.type != ProcessRequested.TYPE or row.payload is None:
        return ()
    # Not as the model: that something is wrong with it is why we are here.
    request = orjson.loads(row.payload)
    aborted = JobAborted(
        job_id=request["job_id"],
        process_number=request["process_number"],
        error_code=EVENT_REFUSED,
        error_message=f"the request could not be handed on: the broker will never take it ({reason})",
    )
    headers = row.headers if isinstance(row.headers, dict) else {}
    trace = headers.get("traceparent")
    return [
        event_record(
            aborted,
            DOCUMENT_EVENTS,
            event_id=deterministic_id("job.refused", aborted.job_id),
            now=utc_now(),
            traceparent=trace if isinstance(trace, str) else None,
        )
    ]
