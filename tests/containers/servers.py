"""The same three servers from testcontainers (AUTOS_TEST_STACK=docker)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pytest

from autos.local.ports_and_secrets import free_port
from ops.provision import KEYS_ROLE, ROLES, let_roles_log_in
from shared.events.topics import TOPICS
from shared.kafka.admin import ensure_topics
from shared.settings import StorageSettings
from shared.storage.bucket import ensure_bucket, ensure_parts_expire
from tests.containers import stand_ins
from tests.containers.engine import NoEngine, running_engine
from tests.support import Servers, wait_until

_PASSWORD = "test-only"
_ROLES = (*ROLES, KEYS_ROLE)
KAFKA_IMAGE: Final = "apache/kafka:4.4.0"
POSTGRES_IMAGE: Final = "postgres:18"
S3_IMAGE: Final = "chrislusf/seaweedfs:4.48"


@contextmanager
def container_servers() -> Iterator[Servers]:
    """Start the containers, provision them; skips the test where no Docker engine can be had.

    Where none answers, an engine of our own lasts as long as this (:func:`tests.containers.engine.running_engine`).
    """
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(running_engine())
        except NoEngine as reason:
            pytest.skip(f"AUTOS_TEST_STACK=docker, but there is no Docker engine: {reason}")
        # Ryuk, the container that removes what a killed test leaves, is an image that only Docker's registry has;
        # ours end with this context, and with our own engine. Read when testcontainers is imported.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in engine.items():
                patch.setenv(name, value)
            if engine and stand_ins.main() != 0:
                pytest.skip("AUTOS_TEST_STACK=docker, but the new Docker engine has no images")
            yield stack.enter_context(_provisioned())


@contextmanager
def _provisioned() -> Iterator[Servers]:
    from ops.migrations.run import upgrade

    kafka_port, s3_port = free_port(), free_port()
    with ExitStack() as stack:
        postgres = stack.enter_context(_postgres())
        stack.enter_context(_kafka(kafka_port))
        stack.enter_context(_s3(s3_port))
        place = f"127.0.0.1:{postgres.get_exposed_port(5432)}/autos"
        servers = Servers(
            bootstrap_servers=f"127.0.0.1:{kafka_port}",
            owner_url=f"postgresql://postgres:{_PASSWORD}@{place}",
            role_urls={role.removeprefix("autos_"): f"postgresql://{role}:{_PASSWORD}@{place}" for role in _ROLES},
            s3_endpoint_url=f"http://127.0.0.1:{s3_port}",
            s3_bucket="autos",
            s3_access_key_id="autos",
            s3_secret_access_key=_PASSWORD,
        )
        wait_until(lambda: _accepts(lambda: upgrade(servers.owner_url)), what="PostgreSQL")
        let_roles_log_in(servers.owner_url, dict.fromkeys(_ROLES, _PASSWORD))
        wait_until(lambda: _accepts(lambda: ensure_topics(servers.bootstrap_servers, TOPICS, {})), what="Kafka")
        settings = StorageSettings.model_validate(
            {
                "s3_endpoint_url": servers.s3_endpoint_url,
                "s3_bucket": servers.s3_bucket,
                "aws_access_key_id": servers.s3_access_key_id,
                "aws_secret_access_key": servers.s3_secret_access_key,
            }
        )
        wait_until(lambda: _accepts(lambda: ensure_bucket(settings)), what="S3")
        ensure_parts_expire(settings)
        yield servers


def _accepts(step: Any) -> bool:
    try:
        step()
    # A server that is starting answers with errors of many types; the deadline decides.
    except Exception:  # noqa: BLE001
        return False
    return True


def _postgres() -> Any:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(POSTGRES_IMAGE).with_exposed_ports(5432)
    return container.with_env("POSTGRES_PASSWORD", _PASSWORD).with_env("POSTGRES_DB", "autos")


def _kafka(port: int) -> Any:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS": "6000",
        "KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS": "6000",
        "KAFKA_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS": "1000",
        "KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS": "2000",
    }.items():
        container.with_env(name, value)
    return container


def _s3(port: int) -> Any:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(S3_IMAGE).with_bind_ports(8333, port)
    container.with_env("AWS_ACCESS_KEY_ID", "autos").with_env("AWS_SECRET_ACCESS_KEY", _PASSWORD)
    return container.with_command("server -dir=/data -s3 -s3.port=8333 -ip.bind=0.0.0.0")
