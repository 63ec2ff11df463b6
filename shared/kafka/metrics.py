"""The Prometheus metrics of the consumer runtimes of a process, each by the runtime's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from shared.events.flow import READERS
from shared.events.topics import TOPICS
from shared.metrics import Label, MetricFamilies, begin

LAG: Final = "autos_consumer_lag"
LAG_MEANING: Final = (
    "Offsets between the first unfinished record and the end of the partitions held; 0 when all is read and done"
)
_SECONDS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OUTCOMES: Final = ("done", "skipped", "poison", "handler_error")
_ENDS: Final = ("revoked", "lost")

PROJECTION: Final = "projection"
"""What the status service calls its consumer, which is Faust's."""
RUNTIME: Final = Label("runtime", (*READERS["downloader"], PROJECTION, *READERS["notifier"]), later=True)
TOPIC: Final = Label("topic", tuple(spec.name for spec in TOPICS), later=True)


class KafkaMetrics:
    """The metric families, made once a process and registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.families = families = MetricFamilies(registry if registry is not None else CollectorRegistry())
        self.handled = families.counter(
            "autos_consumer_records_handled",
            "records",
            "Records that left the runtime; poison and handler_error went to the dead topic",
            RUNTIME,
            Label("outcome", _OUTCOMES),
        )
        self.handler_failures = families.counter(
            "autos_consumer_handler_failures",
            "failures",
            "Times that a handler raised what it should not have; its record is tried again, then set aside",
            RUNTIME,
        )
        self.in_flight = families.gauge("autos_consumer_in_flight", "handlers", "Handlers running now", RUNTIME)
        self.buffered = families.gauge(
            "autos_consumer_buffered", "records", "Records read ahead that wait for their turn or their time", RUNTIME
        )
        self.held = families.gauge(
            "autos_consumer_held", "records", "Records that wait since something they need is away", RUNTIME
        )
        self.paused = families.gauge(
            "autos_consumer_paused_partitions",
            "partitions",
            "Partitions that are not read from now since enough is read ahead",
            RUNTIME,
        )
        self.partitions = families.gauge(
            "autos_consumer_partitions", "partitions", "Partitions that this member holds", RUNTIME
        )
        self.lag = families.gauge(LAG, "offsets", LAG_MEANING, RUNTIME, TOPIC)
        self.handler_seconds = families.histogram(
            "autos_consumer_handler_seconds", "From the start of a handler to its outcome", RUNTIME, buckets=_SECONDS
        )
        self.heartbeat = families.gauge(
            "autos_consumer_heartbeat_age_seconds",
            "seconds",
            "Since the poll thread last went round; more than a few when it is stuck",
            RUNTIME,
        )
        self.commit_failures = families.counter(
            "autos_consumer_commit_failures", "commits", "Commits that the broker did not take; repeated", RUNTIME
        )
        self.partitions_ended = families.counter(
            "autos_consumer_partitions_ended", "partitions", "Partitions taken away", RUNTIME, Label("how", _ENDS)
        )

    def begin(self, runtime: str, topics: Sequence[str]) -> None:
        """Every series of a runtime that reads these topics, with 0."""
        begin(self.handled, [runtime], _OUTCOMES)
        begin(self.partitions_ended, [runtime], _ENDS)
        begin(self.lag, [runtime], topics)
        for family in (self.handler_failures, self.commit_failures, self.in_flight, self.buffered, self.held):
            begin(family, [runtime])
        for gauge in (self.paused, self.partitions):
            begin(gauge, [runtime])
        begin(self.handler_seconds, [runtime])
