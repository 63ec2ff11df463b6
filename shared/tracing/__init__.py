"""Traces: spans of OpenTelemetry around what the services do, off unless OTEL_ variables ask for them."""
