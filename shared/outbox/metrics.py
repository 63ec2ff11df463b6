"""The metrics of an outbox; each name is written once, here."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from shared.outbox.publishing import REASONS
from shared.outbox.rows import Waiting


class OutboxMetrics:
    """The metrics of one process's outbox; all are there from the start, with 0."""

    def __init__(self, schema: str, registry: CollectorRegistry = REGISTRY) -> None:
        # Events that this process's relay set aside, by reason.
        self.set_aside = Counter(
            "autos_outbox_set_aside_total", "Events set aside by the relay", ["schema", "reason"], registry=registry
        )
        # Events that are set aside now and wait for a replay.
        self.set_aside_now = Gauge("autos_outbox_set_aside_rows", "Events set aside", ["schema"], registry=registry)
        # Events that wait to be published.
        self.waiting = Gauge("autos_outbox_waiting", "Events that wait", ["schema"], registry=registry)
        # Age of the oldest event that waits.
        self.seconds = Gauge("autos_outbox_waiting_seconds", "Age of the oldest", ["schema"], registry=registry)
        for reason in REASONS:
            self.set_aside.labels(schema, reason)
        self.show(schema, Waiting(0, 0.0, 0))

    def show(self, schema: str, waiting: Waiting) -> None:
        """Set the gauges."""
        self.set_aside_now.labels(schema).set(waiting.set_aside)
        self.waiting.labels(schema).set(waiting.rows)
        self.seconds.labels(schema).set(waiting.seconds)
