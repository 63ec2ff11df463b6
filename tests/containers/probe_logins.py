"""Run inside a service's container, by stdin: tries to get at broker, database and store in ways that must be refused.

The answer is JSON: by what was tried, the first line of the error, or null where it was let in.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import psycopg2
from botocore.config import Config
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

KAFKA: dict[str, Any] = json.loads(os.environ["AUTOS_KAFKA_CONFIG"])
DATABASE = os.environ["AUTOS_DATABASE_URL"]
STRANGER = "/tmp/stranger.pem"
CA = os.environ["AUTOS_S3_CA_FILE"]


def broker(place: str, **config: object) -> Callable[[], object]:
    def attempt() -> object:
        told: list[str] = []

        def hear(error: KafkaError) -> None:
            told.append(f"{error.name()}: {error.str()}")

        properties: dict[str, Any] = {"bootstrap.servers": place, "log_level": 0, "error_cb": hear, **config}
        client = AdminClient(properties)
        try:
            return client.list_topics(timeout=5)
        except KafkaException:
            client.poll(0)
            # The first is the cause; what comes after says that no broker is left.
            raise ConnectionError(told[0] if told else "no answer") from None

    return attempt


def database(*changes: tuple[str, str]) -> Callable[[], object]:
    url = DATABASE
    for old, new in changes:
        assert old in url, old
        url = url.replace(old, new)
    return lambda: psycopg2.connect(url, connect_timeout=5).close()


def store(verify: str | bool, secret: str, endpoint: str = os.environ["AUTOS_S3_ENDPOINT_URL"]) -> Callable[[], object]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret,
        verify=verify,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=3, read_timeout=5),
    )
    return lambda: client.list_objects_v2(Bucket="autos", MaxKeys=1)


def port(host: str, number: int) -> Callable[[], object]:
    return lambda: socket.create_connection((host, number), 3).close()


def without_certificate(host: str, number: int) -> Callable[[], object]:
    def attempt() -> None:
        context = ssl.create_default_context(cafile=CA)
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(socket.create_connection((host, number), 3), server_hostname=host) as connection:
            # The server looks for a certificate after the client's part of the handshake is over.
            connection.settimeout(5)
            connection.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            connection.read(64)

    return attempt


def outcome(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - the answer
        return f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return None


MAKE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger -keyout /dev/null"
subprocess.run([*MAKE.split(), "-out", STRANGER], check=True, capture_output=True)
user, _, rest = DATABASE.removeprefix("postgresql://").partition(":")
password = rest.partition("@")[0]
address = socket.gethostbyname("postgres")
secret = os.environ["AWS_SECRET_ACCESS_KEY"]
ssl_only = {"security.protocol": "SSL", "ssl.ca.location": KAFKA["ssl.ca.location"]}
attempts: Mapping[str, Callable[[], object]] = {
    "kafka: as it should be": broker("kafka:9092", **KAFKA),
    "kafka: a wrong password": broker("kafka:9092", **{**KAFKA, "sasl.password": "wrong"}),
    "kafka: another service's name": broker("kafka:9092", **{**KAFKA, "sasl.username": "autos-ops"}),
    "kafka: no TLS": broker("kafka:9092"),
    "kafka: TLS and no user": broker("kafka:9092", **ssl_only),
    "kafka: an unknown authority": broker("kafka:9092", **{**KAFKA, "ssl.ca.location": STRANGER}),
    "kafka: the operators' port without a certificate": broker("kafka:9094", **ssl_only),
    "kafka: the controller's port without a certificate": broker("kafka:9093", **ssl_only),
    "kafka: the port of the health check": port("kafka", 9095),
    "postgres: as it should be": database(),
    "postgres: no TLS": database(("sslmode=verify-full", "sslmode=disable")),
    "postgres: a wrong password": database((password, "wrong")),
    "postgres: another service's role": database(
        (f"//{user}:", "//autos_status:" if user != "autos_status" else "//autos_api:")
    ),
    "postgres: the owner": database((f"//{user}:", "//postgres:")),
    "postgres: an unknown authority": database((KAFKA["ssl.ca.location"], STRANGER)),
    "postgres: another name": database(("@postgres:", f"@{address}:")),
    "s3: as it should be": store(CA, secret),
    "s3: a wrong secret": store(CA, "wrong"),
    "s3: an unknown authority": store(STRANGER, secret),
    "s3: no TLS": store(CA, secret, "http://s3:8333"),
    "s3: its gRPC without a certificate": without_certificate("s3", 18333),
    "s3: the filer": port("s3", 8888),
    "s3: the filer by gRPC": port("s3", 18888),
    "s3: the master": port("s3", 9333),
    "s3: the volumes": port("s3", 8080),
    "s3: the catalog of Iceberg": port("s3", 8181),
    "s3: the namespace of Lance": port("s3", 9101),
}
with ThreadPoolExecutor(len(attempts)) as pool:
    json.dump(dict(zip(attempts, pool.map(outcome, attempts.values()), strict=True)), sys.stdout)
