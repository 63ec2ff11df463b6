"""docker-compose.yml with deploy/compose/cluster.yml over it, run under a project name and ports of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.containers.cluster.faults import BROKERS, DATABASES
from tests.containers.deployment import Deployment, running_deployment

OVERLAY: Final = "deploy/compose/cluster.yml"
REPLICAS: Final = 2


@contextmanager
def running_cluster(engine: Mapping[str, str], data_dir: Path) -> Iterator[Deployment]:
    """The cluster, up and healthy; gone with its volumes at the end."""
    servers = (*BROKERS, *DATABASES, "s3")
    with running_deployment(engine, data_dir, (OVERLAY,), servers=servers, api_replicas=REPLICAS) as deployment:
        yield deployment
