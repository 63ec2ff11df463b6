"""Topic ``document.events``: what happened to a job and to each of its documents; the projection's only input."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.events.envelope import Event, Line, MaskedNumber, Revision, Timestamp, Uuid, Word


class JobEvent(Event):
    """The base of the topic's events: all are keyed by the job, so that one job is in order."""

    job_id: Uuid
    process_number: MaskedNumber

    def key(self) -> str:
        return self.job_id


class JobPlanned(JobEvent):
    """The job's documents are known and requested; ``total_documents`` counts those available already too."""

    TYPE: ClassVar[str] = "autos.job.planned"

    total_documents: int
    already_available: int
    created_at: Timestamp | None = None


class JobAborted(JobEvent):
    """The job itself failed: the case is unknown, cannot be read, or the job was cancelled (``cancelled``)."""

    TYPE: ClassVar[str] = "autos.job.aborted"

    error_code: Word
    error_message: Line
    created_at: Timestamp | None = None


class DocumentEvent(JobEvent):
    """The base of a document's events. ``attempts`` counts the source's answers about this document, from 1."""

    document_id: Uuid
    attempts: int = 1
    at: Timestamp | None = None
    """When it happened at the downloader."""

    def subject(self) -> str:
        return self.document_id


class DocumentStarted(DocumentEvent):
    """The first byte was asked for. Of a document that ends within half a second this event is not made: its end has
    ``started_at``.
    """

    TYPE: ClassVar[str] = "autos.document.started"


class DocumentEnd(DocumentEvent):
    """The base of a document's ends."""

    started_at: Timestamp | None = None
    """When the first byte was asked for, in the first attempt; None where another handling or attempt did that."""


class DocumentAvailable(DocumentEnd):
    """The document is in the object store, whole."""

    TYPE: ClassVar[str] = "autos.document.available"

    object_key: Line
    sha256: Word
    size: int
    content_type: Word
    warnings: list[Word] = Field(default_factory=list, max_length=100)
    """Codes of what is odd about the bytes: ``type_differs``, ``size_differs``, ``pdf_without_end``."""
    rendition: Word | None = None
    """``binary``, or ``text`` where the source has only the text of the document."""
    revision: Revision | None = None
    """The revision of the listing that the bytes belong to; new content in it raises it. None: the first."""
    replaced_at: Timestamp | None = None
    """When these bytes took the place of others; None when they are the first."""
    fetched_at: Timestamp | None = None
    """When the source's answer with these bytes had come; ``at`` is later where they were in the store already."""
    source_headers: list[Word] = Field(default_factory=list, max_length=20)
    """What the source said with these bytes, each ``name: value``: date, etag, last-modified, content-type, digests."""
    object_version: Word | None = None
    """The version of the object, where the object store keeps versions."""


class DocumentFailed(DocumentEnd):
    """The document will not be tried again by itself."""

    TYPE: ClassVar[str] = "autos.document.failed"

    error_code: Word
    error_message: Line
    revision: Revision | None = None
    """The revision of the listing that was asked for; None: the first."""
    lost: bool = False
    """It was available: its object is gone from the store, and could not be fetched again."""
