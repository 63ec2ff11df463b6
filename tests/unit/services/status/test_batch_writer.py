"""A batch is decoded: events in order with their times, and the records that are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.status.batch_writer import RejectedRecord, decode_all, occurrence
from shared.events.document_events import JobAborted, JobPlanned
from shared.events.envelope import encode
from shared.records import Record

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EVENT = JobPlanned(
    job_id="3f6c1d2e-8a4b-4c5d-9e6f-7a8b9c0d1e2f",
    process_number="1000145-91.2023.8.26.0597",
    total_documents=2,
    already_available=0,
)


def record(offset: int = 0, value: bytes | None = None, **headers: bytes) -> Record:
    made = encode(EVENT, "document.events", event_id="e", source="/autos/test", time=AT)
    return Record("document.events", 1, offset, made.key, value or made.value, {**made.headers, **headers}, 1_000)


def test_the_time_is_the_events() -> None:
    assert occurrence(record()).at == AT
    assert occurrence(record(ce_time=b"2026-01-02T00:04:05-03:00")).at == AT.replace(microsecond=0)


@pytest.mark.parametrize("written", [b"yesterday", b"2026-01-02T03:04:05", b"\xff"])
def test_without_a_usable_time_it_is_the_brokers(written: bytes) -> None:
    assert occurrence(record(ce_time=written)).at == datetime.fromtimestamp(1, UTC)


def test_rejected_records_are_taken_out_and_the_order_kept() -> None:
    aborted = JobAborted(
        job_id=EVENT.job_id, process_number=EVENT.process_number, error_code="cancelled", error_message=""
    )
    later = encode(aborted, "document.events", event_id="e", source="/autos/test", time=AT)
    records = [
        record(0),
        record(1, b"{"),
        Record("document.events", 1, 2, later.key, later.value, later.headers),
        record(3, ce_type=b"x"),
    ]
    occurrences, rejected = decode_all(records)
    assert [item.event for item in occurrences] == [EVENT, aborted]
    assert rejected == [RejectedRecord(records[1], "not_json"), RejectedRecord(records[3], "unknown_type")]
