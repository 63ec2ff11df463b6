"""The api's Prometheus metrics: every name in one place."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ApiMetrics:
    """The metrics of one application, in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        # Seconds from the request to the end of the answer (streams: to the headers), by route template and status.
        self.request_seconds = Histogram(
            "autos_api_request_seconds",
            "Time to answer, in seconds",
            ["method", "route", "status"],
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        # Requests being answered now, waiting ones included.
        self.in_flight = Gauge("autos_api_requests_in_flight", "Requests being answered", registry=registry)
        # Connections ended before their request reached the application, by the problem's code; evicted: for a new one.
        self.refused = Counter("autos_api_refused_connections", "Connections refused", ["code"], registry=registry)
        # Jobs started, by scope: all or document.
        self.jobs_started = Counter("autos_api_jobs_started", "Jobs created", ["scope"], registry=registry)
        # Reads of a case at the source, by result: found, missing, forbidden, away.
        self.source_reads = Counter("autos_api_source_reads", "Cases read at the source", ["result"], registry=registry)
        # Seconds that a read of a case at the source took.
        self.source_seconds = Histogram("autos_api_source_seconds", "Time of a source read", registry=registry)
        # Rows of the outbox not published yet.
        self.outbox_backlog = Gauge("autos_api_outbox_backlog", "Unpublished outbox rows", registry=registry)
        # Age of the oldest row not published yet, in seconds.
        self.outbox_lag = Gauge("autos_api_outbox_lag_seconds", "Age of the oldest unpublished row", registry=registry)
