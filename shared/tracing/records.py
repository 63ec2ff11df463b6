"""Spans of records: of one that is handled, of a batch that is applied, of outbox rows that are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from opentelemetry.trace import Span, SpanKind

from shared.tracing import conventions, spans

HEADER: Final = "traceparent"


class ReadRecord(Protocol):
    """What is used of a record that was read (shared/records.py)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, bytes]: ...


def process_span(record: ReadRecord) -> AbstractContextManager[Span | None]:
    """The span in which a record is handled, a child of what the record's cause was."""
    if not spans.is_on():
        return spans.NOTHING
    attributes = conventions.of_record(record.topic, record.partition, record.offset)
    return spans.within(conventions.process_span(record.topic), cause_of(record.headers), SpanKind.CONSUMER, attributes)


def batch_span(topic: str, records: Sequence[ReadRecord]) -> AbstractContextManager[Span | None]:
    """The span in which a batch of a topic's records is applied."""
    if not spans.is_on():
        return spans.NOTHING
    causes = [cause_of(record.headers) for record in records]
    attributes = conventions.of_batch("process", topic, len(records))
    return spans.joining(conventions.process_span(topic), causes, SpanKind.CONSUMER, attributes)


def publish_span(schema: str, headers: Sequence[Any]) -> AbstractContextManager[Span | None]:
    """The span in which rows of an outbox with these headers are published."""
    if not spans.is_on():
        return spans.NOTHING
    causes = [found if isinstance(found := row.get(HEADER), str) else None for row in headers if isinstance(row, dict)]
    attributes = conventions.of_batch("send", f"{schema}.outbox", len(headers))
    return spans.joining(conventions.publish_span(schema), causes, SpanKind.PRODUCER, attributes)


def cause_of(headers: Mapping[str, bytes]) -> str | None:
    """The trace context of a record; whether it is one is looked at where it is used."""
    found = headers.get(HEADER)
    return found.decode("ascii", "replace") if found is not None and len(found) <= 64 else None
