"""Prepare what the services need: schemas, roles with passwords, topics, bucket; ``python -m ops.provision``.

Everything here can be repeated. AUTOS_DATABASE_URL is the owner's; AUTOS_ROLE_PASSWORD, when set, becomes the
password of the four service roles, AUTOS_KEYS_ROLE_PASSWORD that of autos_keys, which may then log in. The role that
makes API keys has a password of its own: no service may know it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from psycopg2 import sql
from pydantic import SecretStr

from ops.migrations.run import upgrade
from shared.db.engine import make_engine
from shared.events.topics import TOPICS
from shared.kafka.admin import ensure_topics
from shared.settings import DatabaseSettings, KafkaSettings, StorageSettings, load
from shared.storage.bucket import ensure_bucket, ensure_parts_expire
from shared.telemetry import configure_logging

ROLES: Final = ("autos_api", "autos_downloader", "autos_status", "autos_notifier")
KEYS_ROLE: Final = "autos_keys"
"""Who makes API keys: `autos keys`, and no service."""

_log = logging.getLogger(__name__)


class ProvisionSettings(DatabaseSettings, KafkaSettings, StorageSettings):
    """The owner's connection to the database, and the passwords that the roles get."""

    role_password: SecretStr | None = None
    """The password that the four service roles get; unset: their passwords stay as they are."""
    keys_role_password: SecretStr | None = None
    """The password that the role autos_keys gets, which may then log in."""
    kafka_replication_factor: int = -1
    """Replicas of each topic; -1 is the broker's default."""


def let_roles_log_in(owner_url: str, passwords: Mapping[str, str]) -> None:
    """Give service roles a password and LOGIN. Raises KeyError for a role that is none of ours."""
    engine = make_engine(owner_url, application_name="autos-provision", pool_size=1)
    try:
        with engine.begin() as connection:
            driver = connection.connection.driver_connection
            if driver is None:
                raise RuntimeError("the connection has no driver connection")
            with driver.cursor() as cursor:
                for role, password in passwords.items():
                    if role not in (*ROLES, KEYS_ROLE):
                        raise KeyError(role)
                    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
                    cursor.execute(statement.format(sql.Identifier(role), sql.Literal(password)))
    finally:
        engine.dispose()


def provision(settings: ProvisionSettings) -> None:
    """Migrations, roles, topics, bucket and its rule, in this order."""
    upgrade(settings.database_url)
    if settings.role_password is not None:
        secret = settings.role_password.get_secret_value()
        let_roles_log_in(settings.database_url, dict.fromkeys(ROLES, secret))
    if settings.keys_role_password is not None:
        let_roles_log_in(settings.database_url, {KEYS_ROLE: settings.keys_role_password.get_secret_value()})
    ensure_topics(
        settings.kafka_bootstrap_servers,
        TOPICS,
        {name: str(value) for name, value in settings.kafka_config.items()},
        settings.kafka_replication_factor,
    )
    ensure_bucket(settings)
    ensure_parts_expire(settings)


if __name__ == "__main__":
    configure_logging("provision")
    provision(load(ProvisionSettings))
