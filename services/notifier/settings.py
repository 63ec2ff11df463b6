"""The notifier's settings."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator

from services.notifier.sending.payload import BARE_BYTES
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
from shared.webhooks.settings import WebhookSigningSettings

_LONGEST_DELAY: Final = 6 * 3600.0


class NotifierSettings(
    AlertSettings,
    DatabaseSettings,
    KafkaSettings,
    PublicUrlSettings,
    StorageSettings,
    WebhookGuardSettings,
    WebhookSigningSettings,
):
    """Everything of docs/architecture.md that the notifier obeys; times in seconds."""

    webhook_timeout_seconds: float = Field(15.0, gt=0, le=30)
    """Headers and body of the answer together."""
    webhook_max_body_bytes: int = Field(1024**2, ge=BARE_BYTES, le=4 * 1024**2)
    """A case that makes a larger body is sent without its documents; ``documents_url`` leads to them."""
    webhook_retry_delays: Delays = (5.0, 30.0, 120.0)
    webhook_in_flight: int = Field(512, ge=1, le=10_000)
    webhook_in_flight_per_client: int = Field(256, ge=1)
    """Whatever one client's receivers do, the others' have the rest."""
    webhook_in_flight_per_origin: int = Field(64, ge=1)
    webhook_in_flight_per_endpoint: int = Field(4, ge=1)
    webhook_endpoint_rate: RateSetting | None = None
    """Deliveries to one endpoint, for example ``20/second``; unset = no limit."""
    webhook_breaker_failures: int = Field(10, ge=1)
    webhook_disable_after_days: float = Field(5.0, gt=0)
    webhook_sweep_seconds: float = Field(1.0, gt=0, le=30)
    attempt_retention_days: float = Field(90.0, gt=0)

    @field_validator("webhook_retry_delays")
    @classmethod
    def _within_the_tiers(cls, delays: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= _LONGEST_DELAY for delay in delays):
            raise ValueError("a retry delay is between 0 and 6h")
        return delays
