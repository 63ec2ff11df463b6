"""The metrics of an outbox; each name is written once, here."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry

from shared.metrics import Label, MetricFamilies, begin
from shared.outbox.publishing import REASONS
from shared.outbox.rows import Waiting

_SCHEMA: Final = Label("schema", ("catalog", "progress", "delivery"), later=True)


class OutboxMetrics:
    """The metrics of one process's outbox; all are there from the start, with 0."""

    def __init__(self, schema: str, registry: CollectorRegistry = REGISTRY) -> None:
        self.families = families = MetricFamilies(registry)
        self.set_aside = families.counter(
            "autos_outbox_set_aside",
            "events",
            "Events that this process's relay set aside: the broker will never take them",
            _SCHEMA,
            Label("reason", REASONS),
        )
        self.set_aside_now = families.gauge(
            "autos_outbox_set_aside_rows", "events", "Events that are set aside now and wait for a replay", _SCHEMA
        )
        self.waiting = families.gauge("autos_outbox_waiting", "events", "Events that wait to be published", _SCHEMA)
        self.seconds = families.gauge(
            "autos_outbox_waiting_seconds", "seconds", "Age of the oldest event that waits, 0 without one", _SCHEMA
        )
        begin(self.set_aside, [schema], REASONS)
        self.show(schema, Waiting(0, 0.0, 0))

    def show(self, schema: str, waiting: Waiting) -> None:
        """Set the gauges."""
        self.set_aside_now.labels(schema).set(waiting.set_aside)
        self.waiting.labels(schema).set(waiting.rows)
        self.seconds.labels(schema).set(waiting.seconds)
