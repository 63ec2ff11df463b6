"""Topics ``process.requested``, ``process.retry.*`` and ``process.dead``: a case is asked for."""

from __future__ import annotations

from typing import ClassVar

from shared.events.envelope import Attempt, Event, Line, MaskedNumber, Timestamp, Uuid, Window, Word


class ProcessRequested(Event):
    """A job wants the documents of a case downloaded."""

    TYPE: ClassVar[str] = "autos.process.requested"

    job_id: Uuid
    process_number: MaskedNumber
    client_id: Word
    """Who asked; empty when the downloader asks for the next documents of a job itself."""
    document_ids: list[Uuid] | None = None
    """The documents wanted, at most 500; None means what the job's row in the catalog says."""
    discover: bool = False
    """Whether the case's metadata must be read from the source first."""
    created_at: Timestamp | None = None
    """When the job was created; travels to the projection with JobPlanned."""
    verify: bool = False
    """Whether what is said to be available is looked up in the object store, and fetched again when it is not there."""
    attempt: Attempt = 1
    not_before: Timestamp | None = None
    last_error: Word | None = None
    plan_id: Uuid | None = None
    resume_after: Window | None = None
    """Set for a job that has a plan: its documents after this window are to be requested."""

    def key(self) -> str:
        return self.process_number


class ProcessDead(ProcessRequested):
    """A request that cannot be planned; ``error_code`` and ``error_message`` say why."""

    TYPE: ClassVar[str] = "autos.process.dead"

    error_code: Word
    error_message: Line
