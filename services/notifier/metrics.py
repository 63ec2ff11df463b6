"""The notifier's metrics; every name is a literal here."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class NotifierMetrics:
    """Counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Attempts by what became of them: delivered, retry, exhausted, gone, none (fenced off).
        self.attempts = Counter("autos_webhook_attempts_total", "Attempts recorded", ["outcome"], registry=registry)
        # Seconds an attempt took, headers and body.
        self.seconds = Histogram(
            "autos_webhook_attempt_seconds",
            "Duration of an attempt",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
            registry=registry,
        )
        # Deliveries created.
        self.created = Counter("autos_webhook_deliveries_created_total", "Deliveries created", registry=registry)
        # Deliveries that the sweeper found: their wake-up or their holder was lost.
        self.swept = Counter("autos_webhook_swept_total", "Deliveries found by the sweeper", registry=registry)
        # Deliveries in this process: queued, claimed or being sent.
        self.held = Gauge("autos_webhook_held", "Deliveries in this process", registry=registry)
        # Endpoints whose breaker is open.
        self.breakers = Gauge("autos_webhook_breakers_open", "Open circuit breakers", registry=registry)
        # Alerts by channel (smtp, webhook), and by whether they could be sent.
        self.alerts = Counter("autos_webhook_alerts_total", "Alerts sent", ["way", "outcome"], registry=registry)
