"""Spans around what the services do. Each is within the trace of its cause; without tracing nothing is made at all.

A span is made only within a trace that its cause is in, and only where that was sampled (``traceparent``, W3C Trace
Context): ten thousand documents of one request are ten thousand spans of its trace, or none. Only a request of the API
begins a trace. What joins the causes of many (a batch) is a span of the trace that they share, else the beginning of a
trace of its own, with a link to each.

OpenTelemetry's provider is one for the process, and so is the switch here: while it is off each of these functions is a
comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from shared.tracing.conventions import ERROR_TYPE

Attributes = Mapping[str, AttributeValue]

MOST_LINKS: Final = 128
"""Of one span; the SDK's own limit (OTEL_SPAN_LINK_COUNT_LIMIT)."""
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
NOTHING: Final = nullcontext[Span | None](None)
"""No span for a block."""


class _Switch:
    on = False


def switch(*, on: bool) -> None:
    """Make spans from now on, or none any more. Made by setup.py, and by tests."""
    _Switch.on = on


def is_on() -> bool:
    """Whether spans are made."""
    return _Switch.on


def begun(name: str, parent: str | None, kind: SpanKind, attributes: Attributes) -> AbstractContextManager[Span | None]:
    """A span for the block, within the trace of ``parent`` or else the first of a trace."""
    return _run(name, _context_of(parent), kind, attributes) if _Switch.on else NOTHING


def within(
    name: str, parent: str | None, kind: SpanKind, attributes: Attributes
) -> AbstractContextManager[Span | None]:
    """A span for the block within the trace of ``parent``; none where there is no such trace or it is not sampled."""
    if not _Switch.on:
        return NOTHING
    found = _context_of(parent)
    return NOTHING if found is None or not found.trace_flags.sampled else _run(name, found, kind, attributes)


def joining(
    name: str, parents: Iterable[str | None], kind: SpanKind, attributes: Attributes
) -> AbstractContextManager[Span | None]:
    """A span for a block that has many causes; none where none of their traces is sampled."""
    if not _Switch.on:
        return NOTHING
    distinct = dict.fromkeys(parent for parent in parents if parent is not None)
    found = [one for parent in distinct if (one := _context_of(parent)) is not None and one.trace_flags.sampled]
    if not found:
        return NOTHING
    traces = {one.trace_id for one in found}
    links = [Link(one) for one in found[:MOST_LINKS]]
    return _run(name, found[0] if len(traces) == 1 else None, kind, attributes, links)


def annotate(attributes: Attributes) -> None:
    """Say more of the span that is current."""
    if _Switch.on:
        trace.get_current_span().set_attributes(attributes)


def traceparent_now(cause: str | None) -> str | None:
    """What an effect of ``cause`` carries on: the current span, where that is in the same trace, else ``cause``."""
    if not _Switch.on:
        return cause
    now = trace.get_current_span().get_span_context()
    if not now.is_valid:
        return cause
    written = traceparent_of(now)
    return written if cause is None or cause[3:35] == written[3:35] else cause


def traceparent_of(found: SpanContext) -> str:
    """A span as the header ``traceparent``."""
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def current_ids() -> tuple[str, str] | None:
    """The ids of the current trace and span, in hexadecimal digits; None outside of any."""
    if not _Switch.on:
        return None
    now = trace.get_current_span().get_span_context()
    return (f"{now.trace_id:032x}", f"{now.span_id:016x}") if now.is_valid else None


def current_span_id() -> str | None:
    """The id of the current span alone."""
    ids = current_ids()
    return ids[1] if ids is not None else None


def _context_of(traceparent: str | None) -> SpanContext | None:
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None:
        return None
    found = SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16)))
    return found if found.is_valid else None


@contextmanager
def _run(
    name: str, parent: SpanContext | None, kind: SpanKind, attributes: Attributes, links: Iterable[Link] = ()
) -> Iterator[Span]:
    """The span, current for the block. Of an exception the class is kept: its text may be anything."""
    # An empty context: what is current here by chance is no cause.
    above = trace.set_span_in_context(NonRecordingSpan(parent), context.Context()) if parent else context.Context()
    tracer = trace.get_tracer("autos")
    span = tracer.start_span(name, above, kind, attributes, list(links))
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield span
    except Exception as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.set_attribute(ERROR_TYPE, type(error).__name__)
        raise
    finally:
        context.detach(token)
        span.end()
