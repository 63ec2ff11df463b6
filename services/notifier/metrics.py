"""The notifier's metrics; every name is a literal here."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from services.notifier.domain.delivery import Effect
from services.notifier.domain.endpoint_health import EndpointState
from shared.alerts.sender import CHANNELS, OUTCOMES
from shared.metrics import Label, MetricFamilies

_ATTEMPT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
_DELIVERY_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 21_600, 86_400)
_RECORDED: Final = (Effect.NONE, Effect.DELIVERED, Effect.RETRY, Effect.EXHAUSTED, Effect.GONE, Effect.SHRINK)
_FAILED: Final = (Effect.RETRY, Effect.EXHAUSTED, Effect.GONE)
STATES: Final = tuple(state.value for state in EndpointState)


class NotifierMetrics:
    """Counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.families = families = MetricFamilies(registry)
        self.attempts = families.counter(
            "autos_webhook_attempts",
            "attempts",
            "Attempts by what became of their delivery; none: another process has it",
            Label("outcome", tuple(effect.value for effect in _RECORDED)),
        )
        self.answers = families.counter(
            "autos_webhook_endpoint_attempts",
            "attempts",
            "Attempts by the state in which their endpoint was before them, and whether they were delivered",
            Label("state", STATES),
            Label("result", ("delivered", "failed")),
        )
        self.seconds = families.histogram(
            "autos_webhook_attempt_seconds", "An attempt, headers and body of the answer", buckets=_ATTEMPT_SECONDS
        )
        self.delivery_seconds = families.histogram(
            "autos_webhook_delivery_seconds",
            "From a delivery's creation to its success, of those that nobody had to ask for again",
            buckets=_DELIVERY_SECONDS,
        )
        self.created = families.counter("autos_webhook_deliveries_created", "deliveries", "Deliveries created")
        self.swept = families.counter(
            "autos_webhook_swept",
            "deliveries",
            "Deliveries that the sweeper found: their wake-up or their holder was lost",
        )
        self.held = families.gauge(
            "autos_webhook_held", "deliveries", "Deliveries in this process: queued, claimed or being sent"
        )
        self.breakers = families.gauge("autos_webhook_breakers_open", "endpoints", "Endpoints whose breaker is open")
        self.endpoints = families.gauge(
            "autos_webhook_endpoints",
            "endpoints",
            "Endpoints by state, as every replica sees them: healthy, failing since the last attempt, disabled",
            Label("state", STATES),
        )
        self.oldest_undelivered = families.gauge(
            "autos_webhook_oldest_undelivered_seconds",
            "seconds",
            "Since the oldest delivery was created that is to be sent, by the state of its endpoint; 0 without one",
            Label("state", STATES),
        )
        self.overdue = families.gauge(
            "autos_webhook_overdue_seconds",
            "seconds",
            "How late the delivery is that has been due for longest, of endpoints that are healthy and have no rate of"
            " their own; 0 without one",
        )
        self.alerts = families.counter(
            "autos_webhook_alerts",
            "alerts",
            "Alerts to operators by channel, and whether they got out",
            Label("way", CHANNELS),
            Label("outcome", OUTCOMES),
        )

    def recorded(self, effect: Effect, state: EndpointState, seconds: float | None) -> None:
        """Count an attempt; ``seconds`` as in RecordedAttempt."""
        self.attempts.labels(effect.value).inc()
        if effect is Effect.DELIVERED:
            self.answers.labels(state.value, "delivered").inc()
        elif effect in _FAILED:
            self.answers.labels(state.value, "failed").inc()
        if seconds is not None:
            self.delivery_seconds.observe(max(0.0, seconds))
