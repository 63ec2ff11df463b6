"""Events of jobs as the downloader writes them, and a way to write them to Kafka."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from confluent_kafka import Producer

from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobEvent,
    JobPlanned,
)
from shared.events.envelope import encode
from shared.records import OutgoingRecord, Record

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def planned(number: str, job_id: str, total: int, already: int = 0) -> JobPlanned:
    return JobPlanned(
        job_id=job_id, process_number=number, total_documents=total, already_available=already, created_at=AT
    )


def started(number: str, job_id: str, document_id: str) -> DocumentStarted:
    return DocumentStarted(job_id=job_id, process_number=number, document_id=document_id, at=AT)


def available(number: str, job_id: str, document_id: str, size: int = 10) -> DocumentAvailable:
    return DocumentAvailable(
        job_id=job_id,
        process_number=number,
        document_id=document_id,
        object_key=f"processes/x/documents/{document_id}",
        sha256="ab" * 32,
        size=size,
        content_type="application/pdf",
        at=AT,
    )


def failed(number: str, job_id: str, document_id: str) -> DocumentFailed:
    return DocumentFailed(
        job_id=job_id,
        process_number=number,
        document_id=document_id,
        error_code="timeout",
        error_message="no answer",
        at=AT,
    )


def whole_job(number: str, job_id: str, documents: int, failures: int = 0) -> list[JobEvent]:
    """Planned, every document started, then available but for the last ``failures``."""
    ids = [new_id() for _ in range(documents)]
    events: list[JobEvent] = [planned(number, job_id, documents)]
    events += [started(number, job_id, document) for document in ids]
    events += [available(number, job_id, document) for document in ids[: documents - failures]]
    events += [failed(number, job_id, document) for document in ids[documents - failures :]]
    return events


def outgoing(event: JobEvent, topic: str) -> OutgoingRecord:
    return encode(event, topic, event_id=new_id(), source="/autos/test", time=AT)


def as_record(event: JobEvent, offset: int = 0) -> Record:
    """The event as a consumer reads it."""
    record = outgoing(event, "document.events")
    return Record(record.topic, 0, offset, record.key, record.value, record.headers, 1_700_000_000_000)


def produce(producer: Producer, topic: str, events: Iterable[JobEvent]) -> None:
    """Write them; the caller flushes (or commits)."""
    for event in events:
        record = outgoing(event, topic)
        while True:
            try:
                producer.produce(topic, value=record.value, key=record.key, headers=list(record.headers.items()))
                break
            except BufferError:
                producer.poll(0.1)
