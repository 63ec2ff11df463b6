"""The notifier's settings."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.settings import (
    DatabaseSettings,
    Delays,
    KafkaSettings,
    RateSetting,
    StorageSettings,
    WebhookGuardSettings,
)

_LONGEST_DELAY: Final = 6 * 3600.0


class SmtpSettings(DatabaseSettings):
    """Where alerts go. Without ``smtp_host`` no e-mail is sent, without ``alert_webhook_url`` nothing is posted."""

    smtp_host: str | None = None
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False
    smtp_from: str = "autos@localhost"
    smtp_to: str | None = None
    """One or more addresses, separated by commas."""
    alert_webhook_url: str | None = None
    alert_interval_seconds: float = Field(3600.0, gt=0)
    """At most one alert about an endpoint in this time."""

    @model_validator(mode="after")
    def _somebody_reads_the_mail(self) -> SmtpSettings:
        if self.smtp_host and not self.smtp_to:
            raise ValueError("AUTOS_SMTP_TO is needed when AUTOS_SMTP_HOST is set")
        return self


class NotifierSettings(SmtpSettings, KafkaSettings, StorageSettings, WebhookGuardSettings):
    """Everything of docs/architecture.md that the notifier obeys; times in seconds."""

    webhook_timeout_seconds: float = Field(15.0, gt=0, le=30)
    """Headers and body of the answer together."""
    webhook_retry_delays: Delays = (5.0, 30.0, 120.0)
    webhook_in_flight: int = Field(512, ge=1, le=10_000)
    webhook_in_flight_per_origin: int = Field(64, ge=1)
    webhook_in_flight_per_endpoint: int = Field(4, ge=1)
    webhook_endpoint_rate: RateSetting | None = None
    """Deliveries to one endpoint, for example ``20/second``; unset = no limit."""
    webhook_breaker_failures: int = Field(10, ge=1)
    webhook_disable_after_days: float = Field(5.0, gt=0)
    webhook_sweep_seconds: float = Field(1.0, gt=0, le=30)
    webhook_signing_private_key: SecretStr | None = None
    """``whsk_`` and the base64 of an Ed25519 key: deliveries then carry a ``v1a`` signature too."""
    attempt_retention_days: float = Field(90.0, gt=0)

    @field_validator("webhook_retry_delays")
    @classmethod
    def _within_the_tiers(cls, delays: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= _LONGEST_DELAY for delay in delays):
            raise ValueError("a retry delay is between 0 and 6h")
        return delays
