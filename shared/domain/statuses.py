"""The statuses of jobs, documents and deliveries, and what a job covers; docs/reference/http-api.md explains them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    """Where a job is: as clients, events and the projection spell it."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job is over. Its counters can still change: a failed document may become available later."""
        return self in ENDED


ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})


class DocumentStatus(StrEnum):
    """Where a document is."""

    PENDING = "pending"
    PROCESSING = "processing"
    AVAILABLE = "available"
    FAILED = "failed"


class DeliveryStatus(StrEnum):
    """Where a delivery is, as its row and the API spell it."""

    PENDING = "pending"
    SENDING = "sending"
    WAITING = "waiting"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    CANCELLED = "cancelled"


class JobScope(StrEnum):
    """What a job covers; the scope of a job for one document is that document's id instead."""

    WHOLE_CASE = "all"


def ended_status(available: int, failed: int) -> JobStatus:
    """The status of a job that has ended with so many documents available and failed; an empty case is completed."""
    if not failed:
        return JobStatus.COMPLETED
    return JobStatus.PARTIAL if available else JobStatus.FAILED
