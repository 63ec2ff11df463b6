"""Topics ``document.requested``, ``document.retry.*`` and ``document.dead``: one document is to be fetched."""

from __future__ import annotations

from typing import ClassVar

from shared.events.envelope import Attempt, Event, Line, MaskedNumber, Revision, Timestamp, Uuid, Window, Word


class DocumentRequested(Event):
    """A document of a job is to be streamed from the source into the object store."""

    TYPE: ClassVar[str] = "autos.document.requested"

    job_id: Uuid
    process_number: MaskedNumber
    document_id: Uuid
    source_path: Line
    """Where the source has it, relative to the API's base; what the catalog says counts."""
    object_key: Line
    """Where it will be stored; the fetcher derives it from the case and the document."""
    name: Word
    expected_size: int | None = None
    """Bytes, as the source's metadata says; often missing, sometimes wrong."""
    listed_type: Word | None = None
    """The media type in the listing; a hint as well."""
    rendition: Word = "binary"
    """``text`` where the source has only the text of the document."""
    revision: Revision = 1
    """The revision of the listing; what is stored of an earlier one is replaced."""
    attempt: Attempt = 1
    not_before: Timestamp | None = None
    last_error: Word | None = None
    refetch: bool = False
    """What is stored was found to be wrong: it is fetched even when it is there, and for a cancelled job too."""
    plan_id: Uuid | None = None
    release_after: Window | None = None
    """Whatever becomes of this document, the window of the plan after this one is to be requested next."""

    def key(self) -> str:
        return self.process_number

    def subject(self) -> str:
        return self.document_id


class DocumentDead(DocumentRequested):
    """A document that will not be tried again by itself; ``error_code`` and ``error_message`` say why."""

    TYPE: ClassVar[str] = "autos.document.dead"

    def key(self) -> str:
        return self.document_id

    error_code: Word
    error_message: Line
