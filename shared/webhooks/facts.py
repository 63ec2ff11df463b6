"""What the bodies of webhooks are made of: a job that has ended, documents that are available, a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple


class BodyDocuments(NamedTuple):
    """The documents of a body: their number, where they are, and what makes their views when they are wanted."""

    total: int
    url: str
    make: Callable[[], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has ended: ``completion`` has the fields of ProcessCompleted, ``case`` is a view of shared/domain."""

    completion: Any
    case: Mapping[str, Any]
    documents: BodyDocuments
    reference: str | None = None
    """What the receiver's client calls the job."""

    @classmethod
    def end(cls, completion: Any) -> JobEnded:
        """The end alone, before anything is read: what a type's ``applies`` is asked with."""
        return cls(completion, {}, BodyDocuments(0, "", list))


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


Facts = JobEnded | DocumentsStored | TestSent
