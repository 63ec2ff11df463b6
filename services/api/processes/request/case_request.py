"""What a client asks for: of one case, or of each of many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.cnj import ProcessNumber
from shared.domain.secrecy import Viewer
from shared.domain.statuses import JobScope


@dataclass(frozen=True, kw_only=True)
class CaseRequestTemplate:
    """What a client wants, without the case that it wants it of. ``document_id`` None means the whole case."""

    viewer: Viewer
    asked_at: datetime
    traceparent: str
    webhook_url: str | None = None
    reference: str | None = None
    """The client's own, for the job that the request is about."""
    webhook_payload: str | None = None
    """``full`` or ``thin``; None: as the endpoint takes it."""
    download: bool = True
    refresh: bool = False
    retry_failed: bool = False
    document_id: str | None = None
    documents: bool = True
    """Show the documents in the answer."""
    lost: bool = False
    """The document is recorded as available, but its object is not in the store as recorded."""
    defer: bool = False
    """Leave reading the source to the job: for many cases at once."""

    def of(self, number: ProcessNumber) -> CaseRequest:
        """The same of this case."""
        return CaseRequest(**{**vars(self), "number": number})

    @property
    def client_id(self) -> str:
        """The client that asks."""
        return self.viewer.client_id

    @property
    def scope(self) -> str:
        """The scope of a job that this starts."""
        return JobScope.WHOLE_CASE if self.document_id is None else self.document_id


@dataclass(frozen=True, kw_only=True)
class CaseRequest(CaseRequestTemplate):
    """What a client wants of one case."""

    number: ProcessNumber
