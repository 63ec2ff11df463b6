"""The bodies of webhooks (docs/architecture.md, Webhook): process.completed, and the test event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from shared.clock import rfc3339

COMPLETED: Final = "process.completed"
TEST: Final = "webhook.test"


def completed_body(completion: Any, case: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of a finished job.

    ``completion`` has the fields of ProcessCompleted; ``case`` and ``documents`` are views (:mod:`shared.views`).
    ``timestamp`` is when the job ended, the same in every attempt; the links in ``documents`` are made at each.
    """
    total = completion.total_documents
    ended = completion.completed_documents + completion.failed_documents
    data = {
        "job_id": completion.job_id,
        "process_number": completion.process_number,
        "status": str(completion.status),
        "total_documents": total,
        "completed_documents": completion.completed_documents,
        "failed_documents": completion.failed_documents,
        "progress_percentage": round(100 * ended / total, 2) if total else 100.0,
        "created_at": rfc3339(completion.created_at),
        "completed_at": rfc3339(completion.completed_at),
        "error_code": completion.error_code,
        "error_message": completion.error_message,
        "process": case,
        "documents": documents,
    }
    return orjson.dumps({"type": COMPLETED, "timestamp": rfc3339(completion.completed_at), "data": data})


def sample_body(now: datetime, client_id: str) -> bytes:
    """The body of a test event: nothing of a case in it."""
    data = {"client_id": client_id, "message": "This is a test of your webhook. No case has ended."}
    return orjson.dumps({"type": TEST, "timestamp": rfc3339(now), "data": data})
