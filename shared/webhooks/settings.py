"""Settings of what is sent to webhooks; the same for the notifier's deliveries and the api's test events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pydantic import Field, SecretStr, field_validator

from shared.secrets.keys import listed_keys
from shared.secrets.settings import SecretsSettings
from shared.settings import AutosSettings, Words
from shared.webhooks.body_form import BARE_BYTES
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import InvalidSealingKey, SealingKeys
from shared.webhooks.signing import InvalidSecret, read_public_key, sign_ed25519

_MOST_KEYS: Final = 4
"""Each is a signature in every request."""
_MOST_RETIRED: Final = 64


def _listed(keys: SecretStr | None) -> tuple[str, ...]:
    return listed_keys(keys.get_secret_value()) if keys is not None else ()


class WebhookSigningSettings(AutosSettings):
    """How webhooks are signed besides the client's secret."""

    webhook_signing_keys: SecretStr | None = None
    """Ed25519 keys, each ``whsk_`` and base64, by commas: what is sent carries a ``v1a`` signature by each of them."""
    webhook_signing_private_key: SecretStr | None = None
    """One more such key, as it was set before there could be several."""

    webhook_retired_keys: Words = ()
    """Public keys, each ``whpk_`` and base64, that signed once and sign no more: they stay published, so that manifests
    of their time can be verified."""

    @field_validator("webhook_retired_keys")
    @classmethod
    def _can_verify(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(keys) > _MOST_RETIRED:
            raise ValueError(f"at most {_MOST_RETIRED} keys")
        try:
            for key in keys:
                read_public_key(key)
        except InvalidSecret:
            raise ValueError("this is not whpk_ and the base64 of an Ed25519 public key") from None
        return keys

    @field_validator("webhook_signing_keys", "webhook_signing_private_key")
    @classmethod
    def _can_sign(cls, keys: SecretStr | None) -> SecretStr | None:
        listed = _listed(keys)
        try:
            for key in listed:
                sign_ed25519(key, "check", datetime.now(UTC), b"")
        except InvalidSecret:
            raise ValueError("this is not whsk_ and the base64 of an Ed25519 private key") from None
        if len(listed) > _MOST_KEYS:
            raise ValueError(f"at most {_MOST_KEYS} keys")
        return keys

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """The Ed25519 keys, each once."""
        return tuple(dict.fromkeys((*_listed(self.webhook_signing_keys), *_listed(self.webhook_signing_private_key))))


class WebhookBodySettings(AutosSettings):
    """How large bodies may be."""

    webhook_max_body_bytes: int = Field(1024**2, ge=BARE_BYTES, le=4 * 1024**2)
    """Bytes of a body. A case that makes a larger one is sent without documents; ``documents_url`` leads to them."""


class WebhookSealingSettings(SecretsSettings):
    """How the headers that clients give for their endpoints are kept where AUTOS_SECRETS_KEY is not set."""

    webhook_sealing_keys: SecretStr | None = None
    """Keys of 32 bytes in base64, by commas: they open the headers of endpoints that were sealed before there was
    AUTOS_SECRETS_KEY, and seal where that is not set. With neither, no endpoint can have headers."""

    @field_validator("webhook_sealing_keys")
    @classmethod
    def _can_seal(cls, keys: SecretStr | None) -> SecretStr | None:
        try:
            SealingKeys(_listed(keys))
        except InvalidSealingKey:
            raise ValueError("a key is not the base64 of 32 bytes") from None
        return keys

    @property
    def header_keys(self) -> HeaderKeys:
        """What headers are kept with; false where no key is set."""
        return HeaderKeys(self.secret_keys, SealingKeys(_listed(self.webhook_sealing_keys)))
