"""docker-compose.yml as it is, run under a project name and ports of its own, with the profile demo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from autos.local.pdpj.control import SimulatorControl
from autos.local.ports_and_secrets import free_port
from tests.containers.engine import compose_words
from tests.product import Product, Receiver
from tests.support import wait_until

ROOT: Final = Path(__file__).parents[2]
DEMO: Final = ROOT / "deploy" / "compose.demo.env"
SERVICES: Final = ("api", "downloader", "status", "notifier")
SERVERS: Final = ("kafka", "postgres", "s3")
INSIDE_RECEIVER: Final = "http://receiver:9000"
_UP_SECONDS: Final = 240.0


@dataclass(frozen=True)
class Deployment:
    """A project of Compose. Its commands raise CalledProcessError when they fail."""

    project: str
    environment: Mapping[str, str]
    product: Product
    env_file: Path = DEMO
    overlays: tuple[str, ...] = ()
    """Files that are laid over docker-compose.yml."""
    servers: tuple[str, ...] = SERVERS

    def compose(self, *arguments: str, timeout: float = 300.0) -> str:
        """Run a Compose command; what it wrote to stdout."""
        files = [word for name in ("docker-compose.yml", *self.overlays) for word in ("--file", name)]
        options = ["--env-file", str(self.env_file), "--project-name", self.project, *files, "--profile", "demo"]
        command = [*compose_words(), *options]
        done = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def docker(self, *arguments: str) -> str:
        """Run a docker command; what it wrote to stdout."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stderr[-2000:]}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", container))
        return found[0]

    def up(self, *arguments: str) -> None:
        """``up`` without building, until everything is healthy."""
        self.compose("up", "--detach", "--no-build", *arguments)
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until every container that has a health check is well, and the helpers answer."""

        def unwell() -> list[str]:
            states = {
                service: [self.inspect(one)["State"] for one in self.containers(service)]
                for service in (*SERVICES, *self.servers)
            }
            return [
                service
                for service, found in states.items()
                if not found or any(state.get("Health", {}).get("Status") != "healthy" for state in found)
            ]

        wait_until(lambda: not unwell(), _UP_SECONDS, "healthy containers")
        wait_until(self.product.simulator.is_healthy, _UP_SECONDS, "the simulator")
        wait_until(self.product.receiver.is_healthy, _UP_SECONDS, "the receiver")

    def logs(self) -> str:
        """The last lines of every container."""
        return self.compose("logs", "--no-color", "--tail", "30")


@contextmanager
def running_deployment(
    engine: Mapping[str, str],
    data_dir: Path,
    overlays: Sequence[str] = (),
    *,
    servers: Sequence[str] = SERVERS,
    api_replicas: int = 1,
) -> Iterator[Deployment]:
    """The deployment, up; gone with its volumes at the end. Each replica of the API has a port of its own."""
    names = ("AUTOS_S3_PORT", "AUTOS_PDPJ_PORT", "AUTOS_RECEIVER_PORT")
    ports = {name: str(free_port()) for name in names}
    api_ports = _ports_in_a_row(api_replicas)
    environment = {
        **engine,
        **ports,
        "AUTOS_API_PORT": str(api_ports[0]) if api_replicas == 1 else f"{api_ports[0]}-{api_ports[-1]}",
        "AUTOS_S3_PUBLIC_ENDPOINT_URL": f"http://localhost:{ports['AUTOS_S3_PORT']}",
    }
    apis = tuple(f"http://127.0.0.1:{port}" for port in api_ports)
    key = demo_settings()["AUTOS_DEMO_API_KEY"]
    receiver = Receiver(f"http://127.0.0.1:{ports['AUTOS_RECEIVER_PORT']}")
    headers = {"authorization": f"Bearer {key}"}
    with (
        SimulatorControl(f"http://127.0.0.1:{ports['AUTOS_PDPJ_PORT']}") as simulator,
        httpx.Client(base_url=apis[0], headers=headers, timeout=60, trust_env=False) as client,
    ):
        product = Product(data_dir, apis[0], apis, key, client, simulator, receiver)
        project = f"autos-test-{os.getpid()}" if not overlays else f"autos-test-{Path(overlays[0]).stem}-{os.getpid()}"
        deployment = Deployment(project, environment, product, overlays=tuple(overlays), servers=tuple(servers))
        try:
            deployment.up()
            yield deployment
        finally:
            receiver.close()
            deployment.compose("down", "--volumes", "--timeout", "10")


def _ports_in_a_row(count: int) -> range:
    """Ports that nobody listens on."""
    while True:
        ports = range((first := free_port()), first + count)
        if ports.stop < 65_536 and all(_is_free(port) for port in ports):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def demo_settings() -> dict[str, str]:
    """What deploy/compose.demo.env says."""
    lines = (line for line in DEMO.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)
