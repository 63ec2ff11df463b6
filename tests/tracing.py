"""Spans that are kept in memory, for tests to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.tracing import spans


class KeptSpans:
    """What was exported since the recording began."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]


@cache
def _exporter() -> InMemorySpanExporter:
    """OpenTelemetry takes one provider for the life of a process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@contextmanager
def recorded() -> Iterator[KeptSpans]:
    """Tracing is on for the block."""
    exporter = _exporter()
    exporter.clear()
    spans.switch(on=True)
    try:
        yield KeptSpans(exporter)
    finally:
        spans.switch(on=False)
        exporter.clear()


def trace_of(span: ReadableSpan) -> str:
    """Its trace's id, in hexadecimal digits."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str | None:
    """The id of its parent, in hexadecimal digits; None: it begins its trace."""
    return f"{span.parent.span_id:016x}" if span.parent is not None else None
