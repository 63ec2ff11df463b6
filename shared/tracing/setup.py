"""Switches tracing on for a process when OTEL_ variables name a collector; the SDK is imported only then.

The variables are OpenTelemetry's own ("OpenTelemetry Environment Variable Specification"): OTEL_EXPORTER_OTLP_ENDPOINT,
or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, is what switches on; OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none
switch off. OTEL_TRACES_SAMPLER decides of requests without a sampled trace of their own; what follows from a request
goes by its trace. Spans go out over HTTP with protobuf.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import trace

from shared.tracing import spans

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_FLUSH_MILLISECONDS: Final = 2_000

_log = logging.getLogger(__name__)


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "otlp":
        return False
    return any(environment.get(name, "").strip() for name in _ENDPOINTS)


def start(service: str, replica: str, environment: Mapping[str, str]) -> Callable[[], None]:
    """Begin to trace, if that is asked for. What comes back is called at the end: it sends what is left, for 2 s."""
    if not is_wanted(environment):
        return _nothing
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("Traces are asked for, and the packages of OpenTelemetry are not installed; none are made")
        return _nothing
    resource = Resource.create({"service.name": f"autos-{service}", "service.instance.id": replica})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    spans.switch(on=True)

    def end() -> None:
        spans.switch(on=False)
        provider.force_flush(_FLUSH_MILLISECONDS)
        provider.shutdown()

    return end


def _nothing() -> None:
    """Nothing was begun."""
