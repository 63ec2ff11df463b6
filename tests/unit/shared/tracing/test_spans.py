"""Spans are within the trace of their cause, or are not made."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from services.downloader.event_records import EventRecords
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import deterministic_id
from shared.records import OutgoingRecord, Record
from shared.telemetry import json_formatter
from shared.tracing import spans
from shared.tracing.records import batch_span, process_span, publish_span
from tests.tracing import KeptSpans, parent_of, recorded, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAUSE = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JOB = "3f6c1d2e-8a4b-4c5d-9e6f-7a8b9c0d1e2f"
NUMBER = "1000145-91.2023.8.26.0597"


@pytest.fixture
def kept() -> Iterator[KeptSpans]:
    with recorded() as found:
        yield found


def record(cause: str | None, offset: int = 0) -> Record:
    headers = {} if cause is None else {"traceparent": cause.encode()}
    return Record("document.requested", 3, offset, b"key", b"{}", headers)


def read(outgoing: OutgoingRecord, offset: int) -> Record:
    return Record(outgoing.topic, 0, offset, outgoing.key, outgoing.value, outgoing.headers)


def requests(count: int, cause: str | None) -> Iterator[Record]:
    """What the planner writes for a case."""
    events = EventRecords(lambda: datetime(2026, 3, 2, tzinfo=UTC))
    for number in range(count):
        document_id = deterministic_id("test", number)
        event = DocumentRequested(
            job_id=JOB,
            process_number=NUMBER,
            document_id=document_id,
            source_path=f"/processos/{NUMBER}/documentos/{document_id}/binario",
            object_key=f"processes/10001459120238260597/documents/{document_id}",
            name="document",
        )
        yield read(events.requested(event, cause), number)


def handle(records: Iterator[Record]) -> None:
    for one in records:
        with process_span(one):
            pass


def test_ten_thousand_documents_begin_no_trace(kept: KeptSpans) -> None:
    handle(requests(10_000, CAUSE))
    made = kept.all()
    assert len(made) == 10_000
    assert {trace_of(span) for span in made} == {TRACE}
    assert {parent_of(span) for span in made} == {CAUSE[36:52]}


@pytest.mark.parametrize("cause", [UNSAMPLED, None])
def test_documents_of_a_trace_that_is_not_sampled_make_no_span(kept: KeptSpans, cause: str | None) -> None:
    handle(requests(1_000, cause))
    assert kept.all() == ()


@pytest.mark.parametrize("cause", ["", "00-x-y-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", CAUSE + "-more", "ff" * 40])
def test_what_is_no_trace_context_makes_no_span(kept: KeptSpans, cause: str) -> None:
    handle(iter([record(cause)]))
    assert kept.all() == ()


def test_what_is_made_within_a_span_follows_from_it_and_what_is_of_another_trace_does_not(kept: KeptSpans) -> None:
    with process_span(record(CAUSE)) as span:
        assert span is not None
        here = spans.traceparent_of(span.get_span_context())
        assert spans.traceparent_now(CAUSE) == here != CAUSE
        assert spans.traceparent_now(None) == here
        assert spans.traceparent_now(OTHER) == OTHER
        (followed,) = requests(1, CAUSE)
        assert followed.headers["traceparent"] == here.encode()
    assert spans.traceparent_now(CAUSE) == CAUSE


def test_a_batch_of_one_trace_is_in_it_and_one_of_many_links_them(kept: KeptSpans) -> None:
    with batch_span("document.events", [record(CAUSE), record(CAUSE, 1), record(None, 2)]):
        pass
    with publish_span("catalog", [{"traceparent": CAUSE}, {"traceparent": OTHER}, {"traceparent": UNSAMPLED}, None]):
        pass
    with batch_span("document.events", [record(UNSAMPLED), record(None)]):
        pass
    one, many = kept.all()
    assert (one.name, trace_of(one), parent_of(one)) == ("process document.events", TRACE, CAUSE[36:52])
    assert (many.name, parent_of(many)) == ("send catalog.outbox", None)
    assert [f"{link.context.trace_id:032x}" for link in many.links] == [TRACE, OTHER[3:35]]
    assert one.attributes is not None
    assert one.attributes["messaging.batch.message_count"] == 3


def test_links_are_bounded(kept: KeptSpans) -> None:
    causes = [f"00-{number:032x}-00f067aa0ba902b7-01" for number in range(1, 1_001)]
    with batch_span("document.events", [record(cause) for cause in causes]):
        pass
    (span,) = kept.all()
    assert len(span.links) == spans.MOST_LINKS


def test_a_failure_is_kept_by_its_class_alone(kept: KeptSpans) -> None:
    with pytest.raises(ValueError), process_span(record(CAUSE)):
        raise ValueError("Maria da Silva")
    (span,) = kept.all()
    assert span.status.status_code is StatusCode.ERROR
    assert "Maria" not in span.to_json()
    assert span.kind is SpanKind.CONSUMER
    assert "key" not in (span.attributes or {})


def test_log_lines_name_the_span(kept: KeptSpans) -> None:
    def line() -> dict[str, str]:
        made = logging.getLogger("services").makeRecord("services", 20, __file__, 1, "A line", (), None)
        found: dict[str, str] = json.loads(json_formatter("api").format(made))
        return found

    with process_span(record(CAUSE)) as span:
        assert span is not None
        inside = line()
        assert inside["trace_id"] == TRACE
        assert inside["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert "trace_id" not in line()


def test_while_it_is_off_nothing_is_made_and_causes_are_carried_on() -> None:
    assert process_span(record(CAUSE)) is spans.NOTHING
    assert batch_span("document.events", [record(CAUSE)]) is spans.NOTHING
    assert spans.traceparent_now(CAUSE) == CAUSE
    assert spans.current_ids() is None
