"""A job as the api knows it: what it created, joined with what the projection says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.clock import rfc3339, rfc3339_or_none
from shared.domain.statuses import JobScope, JobStatus, ended_status

CANCELLED: Final = "cancelled"
"""The ``error_code`` of a job that its client cancelled."""
CANCELLED_MESSAGE: Final = "the job was cancelled"


@dataclass(frozen=True)
class SeenCounts:
    """How many documents of a job a viewer sees, and how far those are."""

    total: int
    available: int
    failed: int


@dataclass(frozen=True)
class JobProgress:
    """The projection's row of a job."""

    status: str
    total_documents: int | None
    completed_documents: int
    failed_documents: int
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None
    version: int


@dataclass(frozen=True)
class CaseJob:
    """A job; ``progress`` is None until its first event was projected."""

    job_id: str
    process_number: str
    client_id: str
    scope: str
    discover: bool
    active: bool
    created_at: datetime
    cancelled_at: datetime | None
    progress: JobProgress | None = None

    @property
    def ended(self) -> bool:
        """Whether the job is over, whatever the projection still has to say of its documents."""
        return not self.active or self.cancelled_at is not None or self.projected_end is not None

    @property
    def projected_end(self) -> datetime | None:
        """When the projection ended the job."""
        return self.progress.completed_at if self.progress is not None else None

    @property
    def status(self) -> JobStatus:
        """The projection's word when it has ended the job, else ``cancelled`` at once when a client cancelled it."""
        if self.progress is not None and self.progress.completed_at is not None:
            return JobStatus(self.progress.status)
        if self.cancelled_at is not None:
            return JobStatus.CANCELLED
        return JobStatus.PENDING if self.progress is None else JobStatus.PROCESSING

    def as_counted(self, counts: SeenCounts) -> CaseJob:
        """The job as one of these documents alone: what it says of others is left out, in its status too."""
        progress = self.progress
        if progress is None:
            return self
        whole = progress.completed_at is not None and progress.error_code is None
        # What was listed since the end is not of this job.
        total = counts.available + counts.failed if whole else counts.total
        return replace(
            self,
            progress=replace(
                progress,
                status=ended_status(counts.available, counts.failed) if whole else progress.status,
                total_documents=total if progress.total_documents is not None else None,
                completed_documents=counts.available,
                failed_documents=counts.failed,
            ),
        )

    def includes(self, document_id: str) -> bool:
        """Whether the document is one of the job's."""
        return self.scope in (JobScope.WHOLE_CASE, document_id)


def percentage(total: int, done: int, *, known: bool) -> float:
    """100 * done / total with two decimals; 100 for an empty process once it is known to be empty, else 0."""
    if total <= 0:
        return 100.0 if known else 0.0
    return round(100.0 * min(done, total) / total, 2)


def job_view(job: CaseJob, catalog_total: int) -> dict[str, Any]:
    """The JobView. ``catalog_total`` is the number of documents known of the case, shown until the job is planned."""
    progress = job.progress
    total = progress.total_documents if progress is not None else None
    known = total is not None
    if total is None:
        total = catalog_total if job.scope == JobScope.WHOLE_CASE else min(1, catalog_total)
    completed = progress.completed_documents if progress is not None else 0
    failed = progress.failed_documents if progress is not None else 0
    ended_at = job.projected_end or job.cancelled_at
    code = progress.error_code if progress is not None else None
    message = progress.error_message if progress is not None else None
    if job.status is JobStatus.CANCELLED and code is None:
        code, message = CANCELLED, CANCELLED_MESSAGE
    return {
        "job_id": job.job_id,
        "status": job.status.value,
        "total_documents": total,
        "completed_documents": completed,
        "failed_documents": failed,
        "progress_percentage": percentage(total, completed + failed, known=known),
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339_or_none(progress.started_at if progress is not None else None),
        "completed_at": rfc3339_or_none(ended_at),
        "error_code": code,
        "error_message": message,
    }
