"""The records that the downloader writes to Kafka: one for each step of a job or a document.

Each has an id that a repeat of the step makes again (a uuid5 of the job, the document, the step and the attempt), so
that readers can drop the repeats that at-least-once delivery brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.clock import Clock
from shared.events import topics
from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobPlanned,
)
from shared.events.document_requested import DocumentDead, DocumentRequested
from shared.events.envelope import Event, deterministic_id, encode
from shared.events.process_requested import ProcessDead, ProcessRequested
from shared.records import OutgoingRecord

SOURCE: Final = "/autos/downloader"
"""``ce_source``."""

ANSWERS_HEADER: Final = "autos_answers"
"""On process.retry.*: how many of the attempts so far were answers about the case, and not an outage."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """A document in the object store. ``size`` is bytes, ``sha256`` lower-case hexadecimal."""

    object_key: str
    sha256: str
    size: int
    content_type: str
    warnings: Sequence[str] = ()
    rendition: str | None = None
    """None: as it was requested."""
    revision: int = 1
    """The revision of the listing that the bytes belong to."""
    replaced_at: datetime | None = None
    """When other bytes had to make room for these."""
    fetched_at: datetime | None = None
    """When the source's answer with these bytes had come."""
    source_headers: Sequence[str] = ()
    """``name: value`` of what the source said with them."""
    object_version: str | None = None
    """The version of the object, where the store keeps versions."""


@dataclass(frozen=True, slots=True)
class ExpiredDocument:
    """A document whose bytes are in the store since ``stored_at``, and the job that brought them."""

    process_number: str
    document_id: str
    job_id: str
    attempts: int
    revision: int
    stored_at: datetime


class EventRecords:
    """Makes records; ``clock`` gives ``ce_time``. Nothing is written here.

    ``traceparent`` is that of the record that is answered, so that one trace goes through all services; None begins
    none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    # -- planner ------------------------------------------------------------------------------------------------------

    def requested(self, event: DocumentRequested, traceparent: str | None) -> OutgoingRecord:
        """A document is to be fetched. The id names job, document and step: a repeat of the plan makes the same."""
        return self._record(event, topics.DOCUMENT_REQUESTED, traceparent, _document_id(event, "requested"))

    def planned(self, event: JobPlanned, traceparent: str | None) -> OutgoingRecord:
        """A job has its plan; it says how many documents the projection waits for."""
        return self._record(
            event, topics.DOCUMENT_EVENTS, traceparent, deterministic_id("job", event.job_id, "planned")
        )

    def aborted(self, event: JobAborted, traceparent: str | None) -> OutgoingRecord:
        """A job ends without its documents."""
        return self._record(
            event, topics.DOCUMENT_EVENTS, traceparent, deterministic_id("job", event.job_id, "aborted")
        )

    def resumed(
        self, job_id: str, process_number: str, plan_id: str, after: int, traceparent: str | None
    ) -> OutgoingRecord:
        """The planner is asked for the window of a plan after this one."""
        event = ProcessRequested(
            job_id=job_id, process_number=process_number, client_id="", plan_id=plan_id, resume_after=after
        )
        return self._record(
            event, topics.PROCESS_REQUESTED, traceparent, deterministic_id("plan", plan_id, "resume", after)
        )

    def put_off(
        self,
        request: ProcessRequested,
        *,
        attempt: int,
        answers: int,
        delay: float,
        error: str,
        traceparent: str | None,
    ) -> OutgoingRecord:
        """The discovery again, in the retry topic for ``delay`` seconds.

        ``answers`` goes along as a header: how many of the attempts the source has answered.
        """
        again = request.model_copy(
            update={
                "attempt": attempt,
                "not_before": self._clock() + timedelta(seconds=delay),
                "last_error": error,
            }
        )
        record = self._record(
            again,
            topics.tier_for(delay, topics.PROCESS_RETRY).topic,
            traceparent,
            deterministic_id("job", request.job_id, "retry", attempt),
        )
        return replace(record, headers={**record.headers, ANSWERS_HEADER: str(answers).encode()})

    def process_dead(
        self, request: ProcessRequested, error_code: str, error_message: str, traceparent: str | None
    ) -> OutgoingRecord:
        """The dead letter of a job whose case could not be read."""
        dead = ProcessDead(**request.model_dump(), error_code=error_code, error_message=error_message)
        return self._record(
            dead, topics.PROCESS_DEAD, traceparent, deterministic_id("job", request.job_id, "dead", request.attempt)
        )

    # -- fetcher ------------------------------------------------------------------------------------------------------

    def started(self, request: DocumentRequested, at: datetime, traceparent: str | None) -> OutgoingRecord:
        """The source was asked for a document ``at`` this moment, and it has not ended yet."""
        event = DocumentStarted(
            job_id=request.job_id,
            process_number=request.process_number,
            document_id=request.document_id,
            attempts=request.attempt,
            at=at,
        )
        return self._document_event(event, "started", traceparent)

    def available(
        self,
        request: DocumentRequested,
        stored: StoredBytes,
        *,
        attempts: int,
        traceparent: str | None,
        started_at: datetime | None = None,
        lost: bool = False,
    ) -> OutgoingRecord:
        """The document is in the object store.

        Its id names job, document and ``attempts``, so a repeat of the attempt is the same event. ``lost``: what was
        stored before was not there any more; the event of other content has another id, since this job may have told of
        the first already.
        """
        event = DocumentAvailable(
            job_id=request.job_id,
            process_number=request.process_number,
            document_id=request.document_id,
            attempts=attempts,
            at=self._clock(),
            started_at=started_at,
            object_key=stored.object_key,
            sha256=stored.sha256,
            size=stored.size,
            content_type=stored.content_type,
            warnings=list(stored.warnings),
            rendition=stored.rendition or request.rendition,
            revision=stored.revision,
            replaced_at=stored.replaced_at,
            fetched_at=stored.fetched_at,
            source_headers=list(stored.source_headers),
            object_version=stored.object_version,
        )
        return self._document_event(event, f"available {stored.sha256}" if lost else "available", traceparent)

    def now(self) -> datetime:
        """The time that events are given."""
        return self._clock()

    def failed(
        self,
        request: DocumentRequested,
        error_code: str,
        error_message: str,
        traceparent: str | None,
        *,
        started_at: datetime | None = None,
        lost: bool = False,
    ) -> OutgoingRecord:
        """The document is given up: no attempt follows.

        ``lost``: it was available before, and its object is not in the store any more.
        """
        event = DocumentFailed(
            job_id=request.job_id,
            process_number=request.process_number,
            document_id=request.document_id,
            attempts=request.attempt,
            at=self._clock(),
            started_at=started_at,
            error_code=error_code,
            error_message=error_message,
            revision=request.revision,
            lost=lost,
        )
        return self._document_event(event, "lost" if lost else "failed", traceparent)

    def expired(self, document: ExpiredDocument, error_code: str, error_message: str) -> OutgoingRecord:
        """A document that was available has been kept for long enough: its object is removed."""
        event = DocumentFailed(
            job_id=document.job_id,
            process_number=document.process_number,
            document_id=document.document_id,
            attempts=max(1, document.attempts),
            at=self._clock(),
            error_code=error_code,
            error_message=error_message,
            revision=document.revision,
            lost=True,
        )
        # The same document may be fetched and expire again: when its bytes were stored tells one from the other.
        return self._document_event(event, f"expired {document.stored_at.isoformat()}", None)

    def reminded(self, event: DocumentFailed, traceparent: str | None) -> OutgoingRecord:
        """A failure of an earlier job, which is one of this job too."""
        return self._document_event(event.model_copy(update={"at": self._clock()}), "failed", traceparent)

    def retry(
        self, request: DocumentRequested, *, attempt: int, delay: float, error: str, traceparent: str | None
    ) -> OutgoingRecord:
        """The next attempt, in the retry topic for ``delay`` seconds.

        ``not_before`` says when it is due, which may be later than the topic's nominal delay (topics.tier_for).
        """
        again = request.model_copy(
            update={
                "attempt": attempt,
                "not_before": self._clock() + timedelta(seconds=delay),
                "last_error": error,
            }
        )
        return self._record(
            again,
            topics.tier_for(delay, topics.DOCUMENT_RETRY).topic,
            traceparent,
            _document_id(again, "retry"),
        )

    def document_dead(
        self, request: DocumentRequested, error_code: str, error_message: str, traceparent: str | None
    ) -> OutgoingRecord:
        """The dead letter of a document that is given up."""
        dead = DocumentDead(**request.model_dump(), error_code=error_code, error_message=error_message)
        return self._record(dead, topics.DOCUMENT_DEAD, traceparent, _document_id(dead, "dead"))

    def _document_event(
        self, event: DocumentStarted | DocumentAvailable | DocumentFailed, step: str, traceparent: str | None
    ) -> OutgoingRecord:
        event_id = deterministic_id("document", event.job_id, event.document_id, step, event.attempts)
        return self._record(event, topics.DOCUMENT_EVENTS, traceparent, event_id)

    def _record(self, event: Event, topic: str, traceparent: str | None, event_id: str) -> OutgoingRecord:
        return encode(event, topic, event_id=event_id, source=SOURCE, time=self._clock(), traceparent=traceparent)


def _document_id(event: DocumentRequested, step: str) -> str:
    return deterministic_id("document", event.job_id, event.document_id, step, event.attempt)
