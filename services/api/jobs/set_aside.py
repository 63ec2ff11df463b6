"""What follows when the broker will never take an event of api's: its job ends, so that no client waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from services.api.processes.request.events import SOURCE
from shared.clock import utc_now
from shared.events.document_events import JobAborted
from shared.events.envelope import deterministic_id, encode
from shared.events.process_requested import ProcessRequested
from shared.events.topics import DOCUMENT_EVENTS
from shared.outbox.rows import OutboxRow
from shared.records import OutgoingRecord

EVENT_REFUSED: Final = "event_refused"
"""The ``error_code`` of a job whose request cannot be handed on."""


def end_of_job(row: OutboxRow, reason: str) -> Sequence[OutgoingRecord]:
    """JobAborted for a request that is set aside; nothing for the other events, which end nothing.

    Raises ValueError, TypeError or KeyError when the row does not even name its job.
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
        encode(
            aborted,
            DOCUMENT_EVENTS,
            event_id=deterministic_id("job.refused", aborted.job_id),
            source=SOURCE,
            time=utc_now(),
            traceparent=trace if isinstance(trace, str) else None,
        )
    ]
