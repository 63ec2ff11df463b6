"""The notifier's settings."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator

from services.notifier.domain.retry_policy import DEFAULT_DELAYS
from shared.settings import (
    AlertSettings,
    DatabaseSettings,
    Delays,
    KafkaSettings,
    PublicUrlSettings,
    RateSetting,
    StorageSettings,
    WebhookGuardSettings,
)
from shared.webhooks.settings import WebhookBodySettings, WebhookSealingSettings, WebhookSigningSettings

_LONGEST_DELAY: Final = 6 * 3600.0


class NotifierSettings(
    AlertSettings,
    DatabaseSettings,
    KafkaSettings,
    PublicUrlSettings,
    StorageSettings,
    WebhookGuardSettings,
    WebhookBodySettings,
    WebhookSealingSettings,
    WebhookSigningSettings,
):
    """The settings of the notifier. Times are seconds."""

    webhook_timeout_seconds: float = Field(15.0, gt=0, le=30)
    """Seconds for one attempt, headers and body of the answer included."""
    webhook_retry_delays: Delays = DEFAULT_DELAYS
    """Seconds before the second, third, … attempt; after the last of them a delivery is exhausted."""
    webhook_in_flight: int = Field(512, ge=1, le=10_000)
    """Requests of one process in flight, in all."""
    webhook_in_flight_per_client: int = Field(256, ge=1)
    """For one client: whatever its receivers do, the others' have the rest."""
    webhook_in_flight_per_origin: int = Field(64, ge=1)
    """To one scheme, host and port."""
    webhook_in_flight_per_endpoint: int = Field(4, ge=1)
    """To one URL of one client, its query left out."""
    webhook_endpoint_rate: RateSetting | None = None
    """Deliveries to one endpoint, for example ``20/second``; unset = no limit."""
    webhook_documents_seconds: float = Field(5.0, gt=0, le=3600)
    """Seconds between two looks for new documents (``document.available``): what comes meanwhile is one event."""
    webhook_breaker_failures: int = Field(10, ge=1)
    """Failures in a row after which an endpoint is tried less often, by one request at a time."""
    webhook_disable_after_days: float = Field(5.0, gt=0)
    """Days of nothing but failures after which an endpoint is disabled."""
    webhook_sweep_seconds: float = Field(1.0, gt=0, le=30)
    """Seconds between two looks for deliveries that are due and were not woken."""
    attempt_retention_days: float = Field(90.0, gt=0)
    """Days that attempts are kept."""
    access_log_days: float = Field(365.0, ge=1)
    """Days that the log of who read what is kept."""
    event_retention_days: float = Field(30.0, gt=0)
    """Days that the events of GET /events are kept."""

    @field_validator("webhook_retry_delays")
    @classmethod
    def _within_the_tiers(cls, delays: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= _LONGEST_DELAY for delay in delays):
            raise ValueError("a retry delay is between 0 and 6h")
        return delays
