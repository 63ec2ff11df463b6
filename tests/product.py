"""The whole product for tests from outside: its API, its processes, the simulator, the receiver."""

from __future__ import annotations

import json
import os
import signal
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from autos.local.pdpj.control import SimulatorControl
from tests.embedded import running
from tests.support import wait_until

SETTINGS: Final = {
    "AUTOS_DOWNLOAD_RETRY_DELAYS": "0.2,0.4,0.8",
    "AUTOS_WEBHOOK_RETRY_DELAYS": "0.2,0.4,0.8",
    "AUTOS_RATE_LIMIT_BULK": "100000/minute",
    "AUTOS_RATE_LIMIT_BURST": "100000",
}
"""Short delays and no limit in the way; what tests that do not mean them would wait for."""

NAMES: Final = frozenset({"kafka", "postgres", "s3", "pdpj", "receiver", "api", "downloader", "status", "notifier"})
"""The processes of a product without further replicas."""

ENDED: Final = frozenset({"completed", "partial", "failed", "cancelled"})


@dataclass(frozen=True)
class ReceivedWebhook:
    """One request that the receiver got."""

    webhook_id: str
    attempt: int | None
    verified: bool
    body: Any
    path: str
    answered: int
    received_at: str


class Receiver:
    """The demo receiver of the running product. Give each test a path of its own."""

    def __init__(self, base_url: str, *, certificates: Path | None = None) -> None:
        """``certificates``: the file of a private authority, for https; it has to be there at the first request."""
        self.base_url = base_url
        self._certificates = certificates

    @cached_property
    def _client(self) -> httpx.Client:
        trusted = True if self._certificates is None else ssl.create_default_context(cafile=str(self._certificates))
        return httpx.Client(base_url=self.base_url, timeout=60, trust_env=False, verify=trusted)

    def is_healthy(self) -> bool:
        try:
            return self._client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def url(self, path: str) -> str:
        return f"{self.base_url}{path}"

    def received(self, path: str) -> list[ReceivedWebhook]:
        """What came to addresses that begin with ``path``, oldest first."""
        answer = self._client.get("/_received", params={"path": path}).raise_for_status()
        return [ReceivedWebhook(**item) for item in answer.json()]

    def answer(self, path: str, status: int, *, times: int | None = None, delay: float = 0.0, **headers: str) -> None:
        """Answer this to the next ``times`` requests below ``path`` (None: to all)."""
        body = {"path": path, "status": status, "times": times, "delay": delay, "headers": headers}
        self._client.post("/_control", json=body).raise_for_status()

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True)
class Product:
    """A running product."""

    data_dir: Path
    api_url: str
    api_urls: tuple[str, ...]
    """The URL of each replica of the API."""
    api_key: str
    client: httpx.Client
    """Talks to the API with the key."""
    simulator: SimulatorControl
    receiver: Receiver

    def stack(self) -> dict[str, Any]:
        """stack.json as it is now."""
        loaded: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text())
        return loaded

    def page_url(self) -> str:
        """The page's address with the key in its fragment, as `autos up` says it."""
        return str(json.loads((self.data_dir / "page.json").read_text())["url"])

    def pid(self, process: str) -> int:
        return int(self.stack()["processes"][process]["pid"])

    def kill(self, process: str, number: int = signal.SIGKILL) -> int:
        """Kill a process of the stack; its pid, for :meth:`wait_for_restart`."""
        pid = self.pid(process)
        os.kill(pid, number)
        return pid

    def wait_for_restart(self, process: str, old_pid: int, timeout: float = 120.0) -> int:
        """Wait until the supervisor has started the process again; the new pid."""
        wait_until(lambda: self.pid(process) != old_pid, timeout, f"a new {process}")
        return self.pid(process)

    def log(self, process: str) -> str:
        return Path(self.stack()["processes"][process]["log"]).read_text(errors="replace")

    def status(self, number: str) -> dict[str, Any]:
        answer = self.client.get(f"/processes/{number}/status")
        answer.raise_for_status()
        view: dict[str, Any] = answer.json()
        return view

    def wait_for_end(self, number: str, timeout: float = 120.0) -> dict[str, Any]:
        """Wait until the case's job has ended; the last StatusView."""

        def ended() -> dict[str, Any] | None:
            view = self.status(number)
            return view if view["status"] in ENDED else None

        view = wait_until(ended, timeout, f"the end of {number}")
        assert view is not None
        return view

    def wait_for_webhook(self, path: str, count: int = 1, timeout: float = 120.0) -> list[ReceivedWebhook]:
        """Wait until that many requests came to ``path``."""

        def arrived() -> list[ReceivedWebhook]:
            received = self.receiver.received(path)
            return received if len(received) >= count else []

        return wait_until(arrived, timeout, f"{count} webhook(s) at {path}")


def is_ready(api_url: str) -> bool:
    try:
        return httpx.get(f"{api_url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def port_of(stack: Mapping[str, Any], process: str) -> int:
    """The port in a helper's command line."""
    words = stack["processes"][process]["command"].split()
    return int(words[words.index("--port") + 1])


def replica_urls(data_dir: Path, stack: Mapping[str, Any]) -> tuple[str, ...]:
    """The URL of each replica of the API; their ports are kept beside the data."""
    ports = json.loads((data_dir / "ports.json").read_text())
    names = sorted(name for name in stack["processes"] if name.partition(".")[0] == "api")
    return tuple(f"http://127.0.0.1:{ports[name]}" for name in names)


@contextmanager
def connected(data_dir: Path, stack: Mapping[str, Any]) -> Iterator[Product]:
    """A product that runs already, by its stack.json."""
    receiver = Receiver(f"http://127.0.0.1:{port_of(stack, 'receiver')}")
    headers = {"authorization": f"Bearer {stack['api_key']}"}
    with (
        SimulatorControl(f"http://127.0.0.1:{port_of(stack, 'pdpj')}") as simulator,
        httpx.Client(base_url=stack["api_url"], headers=headers, timeout=90, trust_env=False) as client,
    ):
        urls = replica_urls(data_dir, stack)
        try:
            yield Product(data_dir, stack["api_url"], urls, stack["api_key"], client, simulator, receiver)
        finally:
            receiver.close()


@contextmanager
def running_product(data_dir: Path, settings: Mapping[str, str] | None = None, *arguments: str) -> Iterator[Product]:
    """``autos up`` in ``data_dir`` with :data:`SETTINGS` and ``settings``; everything has ended afterwards."""
    command = ("-m", "autos.main", "up", "--data-dir", str(data_dir), *arguments)
    with running(command, data_dir, {**SETTINGS, **(settings or {})}) as stack:
        pids = [entry["pid"] for entry in stack["processes"].values()]
        with connected(data_dir, stack) as product:
            yield product
    left = [pid for pid in pids if psutil.pid_exists(pid)]
    assert not left, f"processes were left behind: {left}"
