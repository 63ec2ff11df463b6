"""Settings of what is sent to webhooks; the same for the notifier's deliveries and the api's test events."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr, field_validator

from shared.settings import AutosSettings
from shared.webhooks.signing import InvalidSecret, sign_ed25519


class WebhookSigningSettings(AutosSettings):
    """How webhooks are signed besides the client's secret."""

    webhook_signing_private_key: SecretStr | None = None
    """``whsk_`` and the base64 of an Ed25519 key: what is sent then carries a ``v1a`` signature too."""

    @field_validator("webhook_signing_private_key")
    @classmethod
    def _can_sign(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                sign_ed25519(key.get_secret_value(), "check", datetime.now(UTC), b"")
            except InvalidSecret:
                raise ValueError("this is not whsk_ and the base64 of an Ed25519 private key") from None
        return key

    @property
    def signing_key(self) -> str | None:
        """The Ed25519 key, or None."""
        key = self.webhook_signing_private_key
        return key.get_secret_value() if key is not None else None
