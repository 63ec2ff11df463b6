"""The downloader's Prometheus metrics; each name is written once, here."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class DownloaderMetrics:
    """Counters of one downloader process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        # From asking the source for a document to its last byte in the spool.
        self.fetch_seconds = Histogram(
            "autos_downloader_fetch_seconds", "Seconds to read a document", registry=registry, buckets=_SECONDS
        )
        # From the spool to the store's answer.
        self.store_seconds = Histogram(
            "autos_downloader_store_seconds", "Seconds to store a document", registry=registry, buckets=_SECONDS
        )
        # Bytes of documents that are in the store.
        self.bytes = Counter("autos_downloader_bytes_total", "Bytes stored", registry=registry)
        # Documents being read or stored at this moment.
        self.in_flight = Gauge("autos_downloader_in_flight", "Documents being handled", registry=registry)
        # How documents ended: available, already_available, failed, cancelled.
        self.documents = Counter(
            "autos_downloader_documents_total", "Documents by outcome", labelnames=["outcome"], registry=registry
        )
        # Attempts that go through the retry topics, by error code.
        self.retries = Counter(
            "autos_downloader_retries_total", "Attempts put off", labelnames=["reason"], registry=registry
        )
        # Records held because the source was away, by error code; no attempt is counted for them.
        self.holds = Counter("autos_downloader_holds_total", "Documents held", labelnames=["reason"], registry=registry)
        # Times that the source refused our log-in, or a token that was fresh.
        self.refusals = Counter("autos_downloader_refusals_total", "Credentials refused", registry=registry)
        # Alerts about that by way: smtp, webhook; and by whether they got out.
        self.alerts = Counter(
            "autos_downloader_alerts_total", "Alerts sent", labelnames=["way", "outcome"], registry=registry
        )
        # Jobs planned, aborted and put off.
        self.jobs = Counter("autos_downloader_jobs_total", "Jobs by outcome", labelnames=["outcome"], registry=registry)
        # Windows of large jobs: released, or asked for again after they were.
        self.windows = Counter(
            "autos_downloader_windows_total", "Windows of large jobs", labelnames=["outcome"], registry=registry
        )
        # 0 closed, 1 half-open (probing), 2 open: the circuit breaker of the source that is worst.
        self.breaker_state = Gauge("autos_downloader_breaker_state", "0 closed, 1 half-open, 2 open", registry=registry)
        # Requests that this worker may have open, at all sources together.
        self.source_limit = Gauge("autos_downloader_source_limit", "Requests allowed at once", registry=registry)
        self._sources: dict[str, tuple[int, int]] = {}

    def note_source(self, source: str, breaker_state: int, limit: int) -> None:
        """How one source stands: its breaker, and the requests that this worker may have open there."""
        self._sources[source] = (breaker_state, limit)
        self.breaker_state.set(max(state for state, _ in self._sources.values()))
        self.source_limit.set(sum(limit for _, limit in self._sources.values()))
