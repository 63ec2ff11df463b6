"""The projection's Prometheus metrics; each name is written once, here."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry

from shared.db.errors import UNSTORABLE
from shared.domain.statuses import ENDED
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.consumer.client import UNREADABLE_HEADERS
from shared.kafka.metrics import LAG, LAG_MEANING, PROJECTION, RUNTIME, TOPIC
from shared.metrics import Label, MetricFamilies, begin

_BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_JOB_SECONDS: Final = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)
REASONS: Final = (
    *("no_time", "no_type", "no_value", "not_json", "unknown_type", UNREADABLE_HEADERS, UNSTORABLE),
    *("wrong_schema", "wrong_case", "handler_error"),
)
"""Why a record can never be applied (shared/events/envelope.py, batch_writer.py)."""


class StatusMetrics:
    """Counters of one status process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.families = families = MetricFamilies(registry)
        self.events = families.counter(
            "autos_status_events", "events", "Events read from document.events and committed, duplicates included"
        )
        self.completions = families.counter(
            "autos_status_completions",
            "jobs",
            "Jobs that ended",
            Label("status", tuple(sorted(status.value for status in ENDED))),
        )
        self.job_seconds = families.histogram(
            "autos_status_job_seconds",
            "From a job's acceptance to its end, when all of its documents are available or failed",
            buckets=_JOB_SECONDS,
        )
        self.dead_letters = families.counter(
            "autos_status_dead_letters",
            "records",
            "Records that can never be applied; each is a row of progress.dead_letters",
            Label("reason", REASONS),
        )
        self.retries = families.counter(
            "autos_status_batch_retries",
            "batches",
            "Times that a batch had to be tried again, mostly since the database was away",
        )
        self.seconds = families.histogram(
            "autos_status_batch_seconds", "One transaction: lock, load, project, write, commit", buckets=_BATCH_SECONDS
        )
        self.lag_seconds = families.gauge(
            "autos_status_lag_seconds",
            "seconds",
            "How old the newest event of the last batch was when it was committed",
        )
        self._lag = families.gauge(LAG, "offsets", LAG_MEANING, RUNTIME, TOPIC)
        begin(self._lag, [PROJECTION], [DOCUMENT_EVENTS])

    def measured(self, topic: str, behind: int) -> None:
        """So many offsets of the topic wait. With none the last event is no longer late, however old it was."""
        self._lag.labels(PROJECTION, topic).set(behind)
        if behind == 0:
            self.lag_seconds.set(0.0)
