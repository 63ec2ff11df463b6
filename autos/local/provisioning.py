"""What the stack makes in its servers before the services start: roles and tables, topics, the bucket. Repeatable.

The libraries are imported when they are needed, each in the thread of its server, while the servers start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from autos.local.composition import SERVICES
from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.s3 import S3


@dataclass(frozen=True)
class StackSecrets:
    """The secrets that a stack keeps for its services and its developer."""

    api_key: str
    role_passwords: Mapping[str, str]
    """By database role."""


def secrets_of(saved: PortsAndSecrets) -> StackSecrets:
    """The kept ones; made the first time."""
    roles = [*(f"autos_{service}" for service in SERVICES), "autos_keys"]
    passwords = {role: saved.secret(f"{role}_password") for role in roles}
    # The shape of shared.domain.api_keys.new_api_key, without its imports.
    return StackSecrets(saved.secret("api_key", prefix="autos_sk_"), passwords)


def webhook_keys(saved: PortsAndSecrets) -> dict[str, str]:
    """The settings of the keys that the stack keeps: one that signs webhooks, those that encrypt stored secrets."""
    # An Ed25519 private key is 32 random bytes (RFC 8032, section 5.1.5).
    return {
        "AUTOS_WEBHOOK_SIGNING_KEYS": saved.key("webhook_signing_key", prefix="whsk_"),
        "AUTOS_WEBHOOK_SEALING_KEYS": saved.key("webhook_sealing_key"),
        "AUTOS_SECRETS_KEY": saved.key("secrets_key"),
    }


def make_database(owner_url: str, secrets: StackSecrets, keys: Mapping[str, str]) -> str:
    """Migrate, let the roles log in, make the development client; its webhook secret.

    ``keys`` are the settings of the services' keys. No service runs yet, so what an older version stored in the clear
    is encrypted on the way.
    """
    from ops.clients import ensure_dev_client
    from ops.migrations.run import upgrade
    from ops.provision import let_roles_log_in
    from ops.secrets import rotate
    from shared.webhooks.settings import WebhookSealingSettings

    upgrade(owner_url)
    let_roles_log_in(owner_url, secrets.role_passwords)
    settings = WebhookSealingSettings.model_validate(
        {name.removeprefix("AUTOS_").lower(): value for name, value in keys.items() if value}
    )
    client = ensure_dev_client(owner_url, api_key=secrets.api_key, secrets=settings.secret_keys)
    rotate(owner_url, settings.header_keys)
    return client.webhook_secret


def make_topics(bootstrap_servers: str) -> None:
    """Create the topics that are missing; with AUTOS_EVENT_RETENTION_DAYS the public ones keep events for so long."""
    from shared.events.flow import PUBLIC
    from shared.events.topics import TOPICS
    from shared.kafka.admin import ensure_topics, set_retention

    ensure_topics(bootstrap_servers, TOPICS, {})
    # As `python -m ops.provision` does; the services refuse a value that is no number of days.
    if days := os.environ.get("AUTOS_EVENT_RETENTION_DAYS"):
        set_retention(bootstrap_servers, PUBLIC, timedelta(days=float(days)))


def make_bucket(store: S3) -> None:
    """Create the bucket unless the store made it, and its rule against the parts of broken uploads."""
    from pydantic import SecretStr

    from shared.settings import StorageSettings
    from shared.storage.bucket import ensure_bucket, ensure_parts_expire

    settings = StorageSettings(
        s3_endpoint_url=store.endpoint,
        s3_bucket=store.bucket,
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=SecretStr(store.secret_access_key),
    )
    ensure_bucket(settings)
    ensure_parts_expire(settings)
