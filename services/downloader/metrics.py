"""The downloader's Prometheus metrics; each name is written once, here."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry

from shared.alerts.sender import CHANNELS, OUTCOMES
from shared.metrics import Label, MetricFamilies
from sources.errors import Verdict
from sources.metrics import SourceMetrics, codes

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_DOCUMENT_ENDS: Final = ("available", "already_available", "failed", "cancelled", "deleted", "refused", "lost")


class DownloaderMetrics:
    """Counters of one downloader process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.answers = SourceMetrics(registry)
        self.families = MetricFamilies(registry)
        self._sources: dict[str, tuple[int, int]] = {}
        self._declare_fetcher(self.families)
        self._declare_planner(self.families)
        self._declare_source(self.families)

    def _declare_fetcher(self, families: MetricFamilies) -> None:
        self.fetch_seconds = families.histogram(
            "autos_downloader_fetch_seconds",
            "From asking the source for a document to its last byte in the spool",
            buckets=_SECONDS,
        )
        self.store_seconds = families.histogram(
            "autos_downloader_store_seconds", "From the spool to the store's answer", buckets=_SECONDS
        )
        self.bytes = families.counter("autos_downloader_bytes", "bytes", "Bytes of documents that are in the store")
        self.in_flight = families.gauge(
            "autos_downloader_in_flight", "documents", "Documents being read or stored at this moment"
        )
        self.expired = families.counter(
            "autos_downloader_expired_documents",
            "documents",
            "Documents removed from the store since they were older than AUTOS_DOCUMENT_RETENTION_DAYS",
        )
        self.documents = families.counter(
            "autos_downloader_documents",
            "documents",
            "How documents ended; refused: nobody's request, lost: its object was gone and is fetched again",
            Label("outcome", _DOCUMENT_ENDS),
        )
        self.retries = families.counter(
            "autos_downloader_retries",
            "attempts",
            "Attempts that go through the retry topics, by error code",
            Label("reason", codes(Verdict.RETRY, Verdict.SOURCE_AWAY)),
        )
        self.holds = families.counter(
            "autos_downloader_holds",
            "holds",
            "Times that a document waited since the source was away, by error code; no attempt is counted for them",
            Label("reason", codes(Verdict.SOURCE_AWAY)),
        )

    def _declare_planner(self, families: MetricFamilies) -> None:
        self.jobs = families.counter(
            "autos_downloader_jobs",
            "jobs",
            "Jobs that the planner handled",
            Label("outcome", ("planned", "aborted", "put_off", "cancelled", "deleted")),
        )
        self.windows = families.counter(
            "autos_downloader_windows",
            "windows",
            "Windows of large jobs: released, or asked for again after they were",
            Label("outcome", ("released", "repeated")),
        )

    def _declare_source(self, families: MetricFamilies) -> None:
        self.refusals = families.counter(
            "autos_downloader_refusals",
            "refusals",
            "Times that the source refused our log-in, or a token that was fresh",
        )
        self.alerts = families.counter(
            "autos_downloader_alerts",
            "alerts",
            "Alerts to operators by channel, and whether they got out",
            Label("way", CHANNELS),
            Label("outcome", OUTCOMES),
        )
        self.breaker_state = families.gauge(
            "autos_downloader_breaker_state",
            "state",
            "0 closed, 1 half-open (probing), 2 open: the circuit breaker of the source that is worst",
        )
        self.source_limit = families.gauge(
            "autos_downloader_source_limit",
            "requests",
            "Requests that this worker may have open, at all sources together",
        )

    def note_source(self, source: str, breaker_state: int, limit: int) -> None:
        """How one source stands: its breaker, and the requests that this worker may have open there."""
        self._sources[source] = (breaker_state, limit)
        self.breaker_state.set(max(state for state, _ in self._sources.values()))
        self.source_limit.set(sum(limit for _, limit in self._sources.values()))
