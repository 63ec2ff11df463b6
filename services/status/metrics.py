"""The projection's Prometheus metrics; each name is written once, here."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from shared.kafka.metrics import LAG

RUNTIME: Final = "projection"
"""The label ``runtime`` of the lag, which every service measures."""


class StatusMetrics:
    """Counters of one status process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        # Events read from document.events and committed, duplicates included.
        self.events = Counter("autos_status_events_total", "Events committed to the projection", registry=registry)
        # Jobs that ended, by outcome.
        self.completions = Counter(
            "autos_status_completions_total", "Jobs that ended", labelnames=["status"], registry=registry
        )
        # Records that can never be applied, by reason; each is a row of progress.dead_letters.
        self.dead_letters = Counter(
            "autos_status_dead_letters_total", "Records set aside", labelnames=["reason"], registry=registry
        )
        # Batches that had to be tried again because the database was away.
        self.retries = Counter("autos_status_batch_retries_total", "Batches tried again", registry=registry)
        # One transaction: lock, load, project, write, commit.
        self.seconds = Histogram("autos_status_batch_seconds", "Seconds a batch's transaction took", registry=registry)
        # How old the newest event of the last batch was when it was committed.
        self.lag_seconds = Gauge("autos_status_lag_seconds", "Age of the last committed event", registry=registry)
        # Offsets that are not written yet, of the partitions that this process holds; markers of transactions are none.
        self._lag = Gauge(LAG, "Offsets behind the end.", labelnames=["runtime", "topic"], registry=registry)

    def measured(self, topic: str, behind: int) -> None:
        """So many offsets of the topic wait. With none the last event is no longer late, however old it was."""
        self._lag.labels(RUNTIME, topic).set(behind)
        if behind == 0:
            self.lag_seconds.set(0.0)
