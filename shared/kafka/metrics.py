"""The Prometheus metrics of the consumer runtimes of a process, each by the runtime's name."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Records that left the runtime, by outcome: done, skipped, poison, handler_error.
HANDLED: Final = "autos_consumer_records_handled"
# Times that a handler raised what it should not have; such a record is tried again before it counts as handled.
HANDLER_FAILURES: Final = "autos_consumer_handler_failures"
# Handlers running now.
IN_FLIGHT: Final = "autos_consumer_in_flight"
# Records read ahead that wait for their turn or for their time.
BUFFERED: Final = "autos_consumer_buffered"
# Records that wait since something they need is away.
HELD: Final = "autos_consumer_held"
# Partitions that are not read from now since enough is read ahead.
PAUSED: Final = "autos_consumer_paused_partitions"
# Partitions that this member holds.
PARTITIONS: Final = "autos_consumer_partitions"
# Offsets between the first unfinished record and the end of the partitions held, by topic; 0 when all is read and done.
LAG: Final = "autos_consumer_lag"
# Seconds from the start of a handler to its outcome.
HANDLER_SECONDS: Final = "autos_consumer_handler_seconds"
# Commits that the broker did not take; they are repeated.
COMMIT_FAILURES: Final = "autos_consumer_commit_failures"
# Seconds since the poll thread last went round; more than a few when it is stuck.
HEARTBEAT: Final = "autos_consumer_heartbeat_age_seconds"
# Partitions taken away, by how: revoked, lost.
PARTITIONS_ENDED: Final = "autos_consumer_partitions_ended"

_SECONDS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class KafkaMetrics:
    """The metric families, made once a process and registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry if registry is not None else CollectorRegistry()
        by = ("runtime",)
        self.handled = Counter(HANDLED, "Records handled.", (*by, "outcome"), registry=registry)
        self.handler_failures = Counter(HANDLER_FAILURES, "Unexpected exceptions.", by, registry=registry)
        self.in_flight = Gauge(IN_FLIGHT, "Handlers running.", by, registry=registry)
        self.buffered = Gauge(BUFFERED, "Records waiting for their turn.", by, registry=registry)
        self.held = Gauge(HELD, "Records waiting for what is away.", by, registry=registry)
        self.paused = Gauge(PAUSED, "Partitions paused.", by, registry=registry)
        self.partitions = Gauge(PARTITIONS, "Partitions held.", by, registry=registry)
        self.lag = Gauge(LAG, "Offsets behind the end.", (*by, "topic"), registry=registry)
        self.handler_seconds = Histogram(
            HANDLER_SECONDS, "Seconds of a handler.", by, registry=registry, buckets=_SECONDS
        )
        self.heartbeat = Gauge(HEARTBEAT, "Seconds since the poll thread went round.", by, registry=registry)
        self.commit_failures = Counter(COMMIT_FAILURES, "Commits refused.", by, registry=registry)
        self.partitions_ended = Counter(PARTITIONS_ENDED, "Partitions given up.", (*by, "how"), registry=registry)
