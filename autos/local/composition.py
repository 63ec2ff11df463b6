"""Which processes the stack has besides its servers, and the environment each of them gets. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from autos.local.server import Command

SERVERS: Final = ("kafka", "postgres", "s3")
HELPERS: Final = ("pdpj", "receiver")
SERVICES: Final = ("api", "downloader", "status", "notifier")
LOOPBACK_NETWORKS: Final = "127.0.0.0/8,::1/128"

_SECRETS_KEYS: Final = ("AUTOS_SECRETS_KEY", "AUTOS_SECRETS_KEY_FILE", "AUTOS_WEBHOOK_SEALING_KEYS")
# Of the machine's own AWS set-up; with the stack's keys they would make a mixture that works nowhere.
_NOT_PASSED_ON: Final = frozenset({"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})


class WrongScale(ValueError):
    """``--scale`` names no service, or a number that is none. The message is one line."""


@dataclass(frozen=True)
class Endpoints:
    """Where the servers of a stack are, and the secrets to use them with."""

    kafka: str
    s3_endpoint: str
    s3_bucket: str
    s3_access_key_id: str
    s3_secret_access_key: str
    database_urls: Mapping[str, str]
    """By service; each has a role of its own."""
    api_host: str
    api_ports: Mapping[str, int]
    """By process name: each replica of the API listens on a port of its own, as behind a load balancer."""
    pdpj_port: int | None
    """None when the stack uses a PDPJ that is not its simulator."""
    receiver_port: int
    control_port: int
    """Of the supervisor's own server, by which the page troubles the stack."""
    metrics_ports: Mapping[str, int]
    """By process name."""
    webhook_keys: Mapping[str, str] = field(default_factory=dict)
    """The settings that sign webhooks and encrypt stored secrets."""


def parse_scale(values: list[str]) -> dict[str, int]:
    """``["downloader=2"]`` as replicas by service. Raises WrongScale."""
    replicas = dict.fromkeys(SERVICES, 1)
    for value in values:
        name, _, number = value.partition("=")
        if name not in replicas:
            raise WrongScale(f"--scale {value}: there is no service {name!r} ({', '.join(SERVICES)})")
        if not number.isdecimal() or not 0 <= int(number) <= 64:
            raise WrongScale(f"--scale {value}: write a number from 0 to 64, as in {name}=2")
        if name == "api" and int(number) == 0:
            raise WrongScale("--scale api=0: somebody has to answer")
        replicas[name] = int(number)
    return replicas


def process_names(replicas: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """(process, service, replica) of every service process: ``downloader``, ``downloader.2``, ..."""
    return [
        (service if number == 1 else f"{service}.{number}", service, str(number))
        for service in SERVICES
        for number in range(1, replicas.get(service, 1) + 1)
    ]


def secrets_keys(environ: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """The settings of the keys that encrypt stored secrets: the user's own, else those that the stack keeps."""
    own = {name: environ[name] for name in _SECRETS_KEYS if environ.get(name)}
    # The stack's own key would stand before those of the user's file, and encrypt in their place.
    left_out = {"AUTOS_SECRETS_KEY"} if "AUTOS_SECRETS_KEY_FILE" in own else set()
    return {name: value for name, value in kept.items() if name in _SECRETS_KEYS and name not in left_out} | own


def base_environment(environ: Mapping[str, str], endpoints: Endpoints, data_dir: Path) -> dict[str, str]:
    """What every service gets. The user's own AUTOS_ settings win, except those that say where the servers are."""
    signing = {name: value for name, value in endpoints.webhook_keys.items() if name not in _SECRETS_KEYS}
    defaults = {
        "AUTOS_WEBHOOK_ALLOWED_NETWORKS": LOOPBACK_NETWORKS,
        **signing,
        **secrets_keys(environ, endpoints.webhook_keys),
    }
    if endpoints.pdpj_port is not None:
        simulator = f"http://127.0.0.1:{endpoints.pdpj_port}"
        source = "datalake" if environ.get("AUTOS_PDPJ_API") == "datalake" else "portal"
        defaults["AUTOS_PDPJ_BASE_URL"] = f"{simulator}/{source}"
        defaults["AUTOS_PDPJ_TOKEN_URL"] = f"{simulator}/token"
        defaults["AUTOS_PDPJ_CLIENT_ID"] = "autos-local"
        defaults["AUTOS_PDPJ_CLIENT_SECRET"] = "autos-local"
    own = {
        "AUTOS_KAFKA_BOOTSTRAP_SERVERS": endpoints.kafka,
        "AUTOS_KAFKA_CONFIG": "{}",
        "AUTOS_S3_ENDPOINT_URL": endpoints.s3_endpoint,
        "AUTOS_S3_PUBLIC_ENDPOINT_URL": endpoints.s3_endpoint,
        "AUTOS_S3_BUCKET": endpoints.s3_bucket,
        "AWS_ACCESS_KEY_ID": endpoints.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": endpoints.s3_secret_access_key,
        "AUTOS_DATA_DIR": str(data_dir.resolve()),
        "PYTHONUNBUFFERED": "1",
    }
    # An empty value counts as unset, as in `AUTOS_PDPJ_BASE_URL= make up`.
    passed = {name: value for name, value in environ.items() if name not in _NOT_PASSED_ON and value != ""}
    return {**defaults, **passed, **own}


def service_command(
    process: str, service: str, replica: str, base: Mapping[str, str], endpoints: Endpoints, logs: Path
) -> Command:
    """``python -m services.<service>`` with the role and the ports of this process."""
    env = {**base, "AUTOS_DATABASE_URL": endpoints.database_urls[service], "AUTOS_REPLICA": replica}
    if service == "api":
        env["AUTOS_API_HOST"] = endpoints.api_host
        env["AUTOS_API_PORT"] = str(endpoints.api_ports[process])
        env["AUTOS_API_PAGE_EXTENSION_URL"] = f"http://127.0.0.1:{endpoints.control_port}/"
        env.pop("AUTOS_METRICS_PORT", None)
    else:
        env["AUTOS_METRICS_PORT"] = str(endpoints.metrics_ports[process])
    return Command((sys.executable, "-m", f"services.{service}"), logs / f"{process}.log", env=env, bare=True)


def pdpj_command(port: int, base: Mapping[str, str], logs: Path) -> Command:
    """The simulator of PDPJ."""
    argv = (sys.executable, "-m", "autos.local.pdpj", "--host", "127.0.0.1", "--port", str(port))
    return Command(argv, logs / "pdpj.log", env=base, bare=True)


def receiver_command(port: int, secret: str, base: Mapping[str, str], logs: Path) -> Command:
    """The demo webhook receiver; the secret goes by the environment, which `ps` does not show to others."""
    argv = (sys.executable, "-m", "autos.local.receiver", "--host", "127.0.0.1", "--port", str(port))
    return Command(argv, logs / "receiver.log", env={**base, "AUTOS_RECEIVER_SECRET": secret}, bare=True)
