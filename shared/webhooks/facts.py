"""What the bodies of webhooks are made of: a job that has ended, documents that are available, a source, a test.

A fact is a plain value that was read already; rendering it reads nothing more, but for ``BodyDocuments.make``, which is
called only where a form has documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from shared.domain.statuses import ended_status

PROCESS_COMPLETED: Final = "process.completed"
"""The type of event of :class:`JobEnded` (event_types/process_completed.py)."""


class BodyDocuments(NamedTuple):
    """The documents of a body: their number, where they are, and what makes their views when they are wanted."""

    total: int
    url: str
    make: Callable[[], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended: the fields of ProcessCompleted."""

    job_id: str
    process_number: str
    status: str
    total_documents: int
    completed_documents: int
    failed_documents: int
    created_at: datetime
    completed_at: datetime
    error_code: str | None = None
    error_message: str | None = None

    @classmethod
    def of(cls, completion: Any) -> JobEnd:
        """The end of a job, from any object that has these fields."""
        return cls(*(getattr(completion, field.name) for field in fields(cls)))

    def counted(self, available: int, failed: int, *, total: int | None = None) -> JobEnd:
        """The same for a part of the documents: ``available`` and ``failed`` of them, ``total`` (both) in all."""
        return replace(
            self,
            status=self.status if self.error_code is not None else ended_status(available, failed).value,
            total_documents=available + failed if total is None else total,
            completed_documents=available,
            failed_documents=failed,
        )


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has ended; ``case`` is a view of shared/domain."""

    completion: JobEnd
    case: Mapping[str, Any]
    documents: BodyDocuments
    reference: str | None = None
    """What the receiver's client calls the job."""

    @classmethod
    def end(cls, completion: Any) -> JobEnded:
        """The end alone, of whatever has its fields and before more is read: what ``applies`` is asked with."""
        return cls(JobEnd.of(completion), {}, BodyDocuments(0, "", list))


DOCUMENTS_TOGETHER: Final = 100
"""Of how many documents one event tells at most."""


@dataclass(frozen=True, slots=True)
class DocumentsStored:
    """Some documents of a job are available; ``at`` is when they were gathered."""

    job_id: str
    process_number: str
    at: datetime
    document_ids: Sequence[str]
    documents: BodyDocuments
    reference: str | None = None
    """What the receiver's client calls the job."""


@dataclass(frozen=True, slots=True)
class TestSent:
    """A client sends itself a test."""

    __test__ = False

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """A source stands otherwise than it did; about no case. ``at`` is when that was noticed."""

    source: str
    state: str
    """``limited`` or ``away``, or ``open`` again."""
    since: datetime
    at: datetime
    reason: str | None = None
    """A stable code; None where it is open again."""
    degraded_since: datetime | None = None
    """Where it is open again: since when it was not."""


Facts = JobEnded | DocumentsStored | SourceChanged | TestSent
