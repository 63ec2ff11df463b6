"""Topic ``process.completed`` (public): a job has ended, one way or the other."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from shared.domain.statuses import JobStatus
from shared.events.envelope import Count, Event, Line, MaskedNumber, Timestamp, Uuid, Word


class JobOutcome(StrEnum):
    """How a job can end (docs/architecture.md, "States")."""

    COMPLETED = JobStatus.COMPLETED.value
    PARTIAL = JobStatus.PARTIAL.value
    FAILED = JobStatus.FAILED.value
    CANCELLED = JobStatus.CANCELLED.value


class ProcessCompleted(Event):
    """Every document of the job is available or failed, or the job itself failed."""

    TYPE: ClassVar[str] = "autos.process.completed"

    job_id: Uuid
    process_number: MaskedNumber
    status: JobOutcome
    total_documents: Count
    completed_documents: Count
    failed_documents: Count
    created_at: Timestamp
    completed_at: Timestamp
    error_code: Word | None = None
    error_message: Line | None = None
    reference: Word | None = None
    """What the client that started the job calls it, as it said last before the end. Other clients' references of a
    job that they joined are in their own webhooks."""
    documents_url: Line | None = None
    """Where all documents of the case are, a page at a time; relative to the API where its public URL is not set."""

    def key(self) -> str:
        return self.process_number

    def subject(self) -> str:
        return self.job_id
