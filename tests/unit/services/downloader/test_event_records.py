"""The downloader's records: topics, keys, and ids that a repeat makes again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.event_records import EventRecords, StoredBytes
from services.downloader.fetcher import task as fetching
from services.downloader.fetcher.document_store import encoded_name
from services.downloader.planner import task as planning
from shared.errors import PoisonRecord
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from shared.records import OutgoingRecord, Record

NUMBER = "1000145-91.2023.8.26.0597"
JOB = "11111111-1111-4111-8111-111111111111"
DOCUMENT = "22222222-2222-4222-8222-222222222222"
NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

PROCESS = ProcessRequested(job_id=JOB, process_number=NUMBER, client_id="dev", discover=True)
REQUEST = DocumentRequested(
    job_id=JOB,
    process_number=NUMBER,
    document_id=DOCUMENT,
    source_path="/x",
    object_key="processes/10001459120238260597/documents/" + DOCUMENT,
    name="Petição",
    attempt=2,
)

event_records = EventRecords(lambda: NOW)


def read(record: OutgoingRecord) -> Record:
    return Record(record.topic, 0, 0, record.key, record.value, record.headers)


def test_a_retry_goes_to_the_tier_of_its_delay_and_says_when_it_is_due() -> None:
    record = event_records.retry(REQUEST, attempt=3, delay=30, error="short_body", traceparent=TRACE)
    task = fetching.decode(read(record))
    assert (record.topic, record.key) == ("document.retry.30s", NUMBER.encode())
    assert task.request == REQUEST.model_copy(
        update={"attempt": 3, "not_before": NOW + timedelta(seconds=30), "last_error": "short_body"}
    )
    assert task.not_before == (NOW + timedelta(seconds=30)).timestamp()
    assert (task.group, task.traceparent) == (NUMBER, TRACE)


def test_a_delay_below_every_tier_takes_the_shortest_with_its_own_due_time() -> None:
    record = event_records.retry(REQUEST, attempt=3, delay=0.2, error="short_body", traceparent=None)
    assert record.topic == "document.retry.5s"
    assert fetching.decode(read(record)).not_before == (NOW + timedelta(seconds=0.2)).timestamp()


def test_a_discovery_put_off_carries_how_many_answers_were_about_the_case() -> None:
    record = event_records.put_off(PROCESS, attempt=5, answers=2, delay=120, error="source_error", traceparent=None)
    task = planning.decode(read(record))
    assert (record.topic, record.key) == ("process.retry.2m", NUMBER.encode())
    assert (task.answers, task.request.attempt, task.request.last_error) == (2, 5, "source_error")


@pytest.mark.parametrize("garbled", [b"", b"-1", b"x", b"\xff", "²".encode()])
def test_a_garbled_count_of_answers_is_none(garbled: bytes) -> None:
    record = event_records.put_off(PROCESS, attempt=2, answers=0, delay=5, error="x", traceparent=None)
    headers = {**record.headers, "autos_answers": garbled}
    assert planning.decode(Record("t", 0, 0, record.key, record.value, headers)).answers == 0


def test_requests_that_need_the_same_source_share_their_places() -> None:
    waiting = planning.PlanTask(PROCESS)
    ready = planning.PlanTask(PROCESS.model_copy(update={"discover": False}))
    assert planning.group_of(waiting, lambda _: "pdpj") == "discoveries/pdpj"
    assert planning.group_of(waiting, lambda _: "other") == "discoveries/other"
    assert planning.group_of(ready, lambda _: "pdpj") == JOB


STEPS: list[Callable[[EventRecords], OutgoingRecord]] = [
    lambda made: made.requested(REQUEST, None),
    lambda made: made.started(REQUEST, NOW, None),
    lambda made: made.failed(REQUEST, "short_body", "short", None),
    lambda made: made.document_dead(REQUEST, "short_body", "short", None),
    lambda made: made.retry(REQUEST, attempt=3, delay=5, error="x", traceparent=None),
    lambda made: made.available(REQUEST, StoredBytes("k", "0", 1, "x/y"), attempts=2, traceparent=None),
    lambda made: made.planned(
        JobPlanned(job_id=JOB, process_number=NUMBER, total_documents=1, already_available=0), None
    ),
    lambda made: made.put_off(PROCESS, attempt=2, answers=0, delay=5, error="x", traceparent=None),
    lambda made: made.process_dead(PROCESS, "source_error", "x", None),
]


def test_a_repeat_of_a_step_has_the_same_id_and_no_other_step_has() -> None:
    later = EventRecords(lambda: NOW + timedelta(hours=1))
    ids = [step(event_records).headers["ce_id"] for step in STEPS]
    assert ids == [step(later).headers["ce_id"] for step in STEPS]
    assert len(set(ids)) == len(ids)


def test_a_failure_told_again_keeps_what_was_said_and_belongs_to_the_new_job() -> None:
    failed = DocumentFailed(
        job_id=JOB, process_number=NUMBER, document_id=DOCUMENT, error_code="no_access", error_message="m", attempts=3
    )
    record = event_records.reminded(failed, None)
    assert record.value is not None
    told = orjson.loads(record.value)
    assert (record.topic, record.key) == ("document.events", JOB.encode())
    assert (told["error_code"], told["error_message"], told["attempts"]) == ("no_access", "m", 3)


def test_what_is_not_a_request_is_poison() -> None:
    with pytest.raises(PoisonRecord):
        fetching.decode(Record("t", 0, 0, b"k", b"{}", {"ce_type": b"autos.document.requested"}))
    with pytest.raises(PoisonRecord):
        planning.decode(Record("t", 0, 0, b"k", b"nonsense", {"ce_type": b"autos.process.requested"}))


def test_a_name_becomes_ascii_metadata_cut_to_whole_characters() -> None:
    assert encoded_name("Petição inicial.pdf") == "Peti%C3%A7%C3%A3o%20inicial.pdf"
    cut = encoded_name("ç" * 1000)
    assert len(cut) <= 1024
    assert len(cut) % len("%C3%A7") == 0
    assert encoded_name("a\ud800b").isascii()


@given(st.text(max_size=400))
def test_the_metadata_of_a_name_is_that_of_its_first_characters(name: str) -> None:
    pieces = [quote(char, safe="", errors="replace") for char in name]
    whole = max(count for count in range(len(pieces) + 1) if len("".join(pieces[:count])) <= 1024)
    assert encoded_name(name) == "".join(pieces[:whole])
