"""Chooses where the processes of a stack listen and by which secrets they know each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from autos.local import composition, provisioning
from autos.local.composition import Endpoints
from autos.local.ports_and_secrets import PortsAndSecrets, is_free
from autos.local.postgres import Postgres
from autos.local.server import StartError
from autos.local.state import Connections

DEFAULT_DATA_DIR: Final = Path(".autos")
"""Where `autos up` keeps its data, in the current folder, unless it is told otherwise."""


def choose(
    processes: Sequence[str],
    connections: Connections,
    environ: Mapping[str, str],
    saved: PortsAndSecrets,
    postgres: Postgres,
    data_dir: Path,
) -> Endpoints:
    """The endpoints of these processes; ports are those of the last start where they are free. Raises StartError."""
    wanted = environ.get("AUTOS_API_PORT")
    apis = [name for name in processes if name.partition(".")[0] == "api"]
    metrics = [f"metrics.{name}" for name in processes]
    # The address that guides and the Postman collection have, for the one stack that is started without a folder.
    preferred = {"api": 8000} if data_dir == DEFAULT_DATA_DIR else {}
    others = ("pdpj", "receiver", "control", *metrics, *(name for name in apis if name != "api"))
    ports = saved.ports(["api", *others], preferred)
    if wanted:
        if not wanted.isdecimal() or not is_free(int(wanted)):
            raise StartError(f"AUTOS_API_PORT={wanted}: not a port that is free")
        ports["api"] = int(wanted)
    passwords = provisioning.secrets_of(saved).role_passwords
    store = connections.s3
    return Endpoints(
        kafka=connections.kafka,
        s3_endpoint=store["endpoint"],
        s3_bucket=store["bucket"],
        s3_access_key_id=store["access_key_id"],
        s3_secret_access_key=store["secret_access_key"],
        database_urls={
            service: postgres.url(f"autos_{service}", passwords[f"autos_{service}"]) for service in composition.SERVICES
        },
        api_host=environ.get("AUTOS_API_HOST") or "127.0.0.1",
        api_ports={name: ports[name] for name in apis},
        pdpj_port=None if environ.get("AUTOS_PDPJ_BASE_URL") else ports["pdpj"],
        receiver_port=ports["receiver"],
        control_port=ports["control"],
        metrics_ports={name: ports[f"metrics.{name}"] for name in processes},
        webhook_keys=provisioning.webhook_keys(saved),
    )
