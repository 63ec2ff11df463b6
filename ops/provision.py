"""Prepare what the services need: schemas, roles with passwords, topics, users at the broker, bucket.

``python -m ops.provision``; everything here can be repeated. AUTOS_DATABASE_URL is the owner's; AUTOS_ROLE_PASSWORD,
when set, becomes the password of the four service roles, AUTOS_ROLE_PASSWORDS those of single ones,
AUTOS_KEYS_ROLE_PASSWORD that of autos_keys, which may then log in. The role that makes API keys has a password of its
own: no service may know it. With AUTOS_KAFKA_PASSWORDS the broker gets a user a service, and the rights of each.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from psycopg2 import sql
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from ops.migrations.run import upgrade
from ops.topic_access import PRINCIPALS, BrokerAccess, principal, rights
from shared.db.command_transaction import command_transaction
from shared.events.flow import PUBLIC, SERVICES
from shared.events.topics import TOPICS
from shared.kafka.admin import ensure_topics, set_retention
from shared.settings import DatabaseSettings, KafkaSettings, StorageSettings, load
from shared.storage.bucket import ensure_bucket, ensure_parts_expire
from shared.telemetry import configure_logging

ROLES: Final = tuple(f"autos_{service}" for service in SERVICES)
KEYS_ROLE: Final = "autos_keys"
"""Who makes API keys: `autos keys`, and no service."""

_log = logging.getLogger(__name__)


class ProvisionSettings(DatabaseSettings, KafkaSettings, StorageSettings):
    """The owner's connection to the database, and the passwords that the roles get."""

    role_password: SecretStr | None = None
    """The password that the four service roles get; unset: their passwords stay as they are."""
    role_passwords: dict[str, SecretStr] = Field(default_factory=dict)
    """JSON, by service (``api``, ``downloader``, ``status``, ``notifier``): passwords of single roles; they win."""
    keys_role_password: SecretStr | None = None
    """The password that the role autos_keys gets, which may then log in."""
    kafka_replication_factor: int = -1
    """Replicas of each topic; -1 is the broker's default."""
    event_retention_days: float | None = Field(None, gt=0, le=36_500)
    """Days that the public topics (process.completed, webhook.events, document.events) keep events; the notifier reads
    the same setting. Unset: the topics stay as they are, which is for ever for document.events, 30 days for the others.
    """
    kafka_passwords: dict[str, SecretStr] = Field(default_factory=dict)
    """JSON, by service, ``ops`` and ``keda``: SCRAM-SHA-512 passwords of the users ``autos-…``; their rights."""

    @field_validator("role_passwords", "kafka_passwords")
    @classmethod
    def _of_services(cls, value: dict[str, SecretStr], info: ValidationInfo) -> dict[str, SecretStr]:
        known = SERVICES if info.field_name == "role_passwords" else PRINCIPALS
        if unknown := sorted(set(value) - set(known)):
            raise ValueError(f"there is no service {', '.join(unknown)} (there are {', '.join(known)})")
        return value


def let_roles_log_in(owner_url: str, passwords: Mapping[str, str]) -> None:
    """Give service roles a password and LOGIN. Raises KeyError for a role that is none of ours."""
    with command_transaction(owner_url, "autos-provision") as connection:
        driver = connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("the connection has no driver connection")
        with driver.cursor() as cursor:
            for role, password in passwords.items():
                if role not in (*ROLES, KEYS_ROLE):
                    raise KeyError(role)
                statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
                cursor.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _provision_users(settings: ProvisionSettings, broker: BrokerAccess) -> None:
    secrets = settings.kafka_passwords
    # The rights first: a user that can log in is never without them.
    users = {principal(name) for name in secrets}
    added, removed = broker.apply(one for one in rights(settings.kafka_group_prefix) if one.principal in users)
    broker.set_passwords({principal(name): secret.get_secret_value() for name, secret in secrets.items()})
    _log.info(
        "The users of the broker are set up", extra={"users": len(users), "added": len(added), "removed": len(removed)}
    )


def provision(settings: ProvisionSettings) -> None:
    """Migrations, roles, topics, users of the broker, bucket and its rule, in this order.

    Everything can be repeated, and several may run at once: migrations wait for one another. What fails is raised as
    its library raises it; what was done before it stays.
    """
    upgrade(settings.database_url)
    passwords: dict[str, str] = {}
    if settings.role_password is not None:
        passwords |= dict.fromkeys(ROLES, settings.role_password.get_secret_value())
    passwords |= {f"autos_{name}": secret.get_secret_value() for name, secret in settings.role_passwords.items()}
    if passwords:
        let_roles_log_in(settings.database_url, passwords)
    if settings.keys_role_password is not None:
        let_roles_log_in(settings.database_url, {KEYS_ROLE: settings.keys_role_password.get_secret_value()})
    kafka_config = {name: str(value) for name, value in settings.kafka_config.items()}
    ensure_topics(settings.kafka_bootstrap_servers, TOPICS, kafka_config, settings.kafka_replication_factor)
    if settings.event_retention_days is not None:
        kept = timedelta(days=settings.event_retention_days)
        set_retention(settings.kafka_bootstrap_servers, PUBLIC, kept, kafka_config)
    if settings.kafka_passwords:
        _provision_users(settings, BrokerAccess(settings.kafka_bootstrap_servers, kafka_config))
    ensure_bucket(settings)
    ensure_parts_expire(settings)


if __name__ == "__main__":
    configure_logging("provision")
    provision(load(ProvisionSettings))
