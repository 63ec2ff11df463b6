"""The rows of the projection as values, the state that a batch starts from and the changes that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from shared.domain.statuses import DocumentStatus, JobStatus
from shared.events.document_events import JobEvent
from shared.events.process_completed import ProcessCompleted


class Rank(IntEnum):
    """How far a document came within one job."""

    PROCESSING = 1
    FAILED = 2
    AVAILABLE = 3


STATUS: Final = {rank: DocumentStatus[rank.name].value for rank in Rank}
"""How a rank is stored."""
RANK: Final = {status: rank for rank, status in STATUS.items()}


# The rows are named tuples: they come from the driver and go to it as tuples, a thousand and more a second.
class JobRow(NamedTuple):
    """A row of ``progress.jobs``. ``total_documents`` is None until the job is planned."""

    job_id: str
    process_number: str
    status: str = JobStatus.PENDING.value
    total_documents: int | None = None
    completed_documents: int = 0
    failed_documents: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    planned_at: datetime | None = None
    completed_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    version: int = 0


class DocumentRow(NamedTuple):
    """A row of ``progress.documents``: where the last job to report on it left it. ``size`` is in bytes."""

    process_number: str
    document_id: str
    job_id: str
    status: str
    object_key: str | None = None
    sha256: str | None = None
    size: int | None = None
    content_type: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempts: int = 0
    download_started_at: datetime | None = None
    download_completed_at: datetime | None = None
    warnings: list[str] | None = None
    rendition: str | None = None
    revision: int | None = None
    replaced_at: datetime | None = None
    lost_at: datetime | None = None
    """Since when its object is known to be gone and cannot be fetched again; None while it is not."""
    fetched_at: datetime | None = None
    """When the source's answer with the stored bytes had come."""
    source_headers: list[str] | None = None
    """What the source said with them, each ``name: value``."""
    object_version: str | None = None

    @property
    def since(self) -> datetime | None:
        """When it came into its status."""
        return self.download_completed_at or self.download_started_at


JobDocumentKey = tuple[str, str]
"""job_id, document_id"""
DocumentKey = tuple[str, str]
"""process_number, document_id"""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event and when it happened (``ce_time``)."""

    event: JobEvent
    at: datetime
    traceparent: str | None = None
    """The trace that the event is in."""


@dataclass(frozen=True)
class KnownRows:
    """The rows now known for the jobs and documents that a batch names."""

    jobs: Mapping[str, JobRow] = field(default_factory=dict)
    job_documents: Mapping[JobDocumentKey, Rank] = field(default_factory=dict)
    documents: Mapping[DocumentKey, DocumentRow] = field(default_factory=dict)

    def after(self, changes: RowChanges) -> KnownRows:
        """This state with the changes written."""
        return KnownRows(
            {**self.jobs, **changes.jobs},
            {**self.job_documents, **changes.job_documents},
            {**self.documents, **changes.documents},
        )


@dataclass
class RowChanges:
    """The rows that are new or different, the ends to announce (in order) and the cases to notify."""

    jobs: dict[str, JobRow] = field(default_factory=dict)
    job_documents: dict[JobDocumentKey, Rank] = field(default_factory=dict)
    documents: dict[DocumentKey, DocumentRow] = field(default_factory=dict)
    completions: list[ProcessCompleted] = field(default_factory=list)

    @property
    def processes(self) -> list[str]:
        """The process numbers whose progress changed, in a stable order."""
        return sorted({job.process_number for job in self.jobs.values()})
