"""The product for benchmarks: started in a directory of its own, talked to through its API, ended with the block."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

from autos.local.pdpj.control import SimulatorControl
from autos.local.server import Command, start
from autos.local.state import Phase, StateFiles
from shared.domain.cnj import make
from shared.settings import StorageSettings
from tools.bench.processes import StackProcesses, end
from tools.bench.registry import BenchmarkFailed, Plan

_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 90.0
_REQUEST_SECONDS: Final = 120

# No limit of the product's own in the way of what is measured.
_SETTINGS: Final = {
    "AUTOS_RATE_LIMIT_BULK": "1000000/minute",
    "AUTOS_RATE_LIMIT_BURST": "1000000",
    "AUTOS_MAX_ACTIVE_JOBS": "100000",
}
_numbers = itertools.count(1)
_stacks = itertools.count(1)


def at_once(documents: int, source: int) -> dict[str, str]:
    """Settings: so many documents at once of each downloader, all of one case, and of all together at the source."""
    return {
        "AUTOS_DOWNLOAD_CONCURRENCY": str(documents),
        "AUTOS_DOWNLOAD_PER_PROCESS": str(documents),
        "AUTOS_SOURCE_CONCURRENCY": str(source),
    }


def case_numbers(count: int) -> list[str]:
    """Valid CNJ numbers that this process has not given before."""
    return [str(make(next(_numbers) % 10_000_000, 2026, 8, 26, 597)) for _ in range(count)]


@dataclass(frozen=True)
class BenchStack:
    """A running stack, or its three servers alone."""

    data_dir: Path
    state: Mapping[str, Any]
    """stack.json as it was when it was ready."""

    @property
    def kafka(self) -> str:
        """The address of its broker."""
        return str(self.state["kafka"])

    @property
    def database_url(self) -> str:
        """The owner's."""
        return str(self.state["database_url"])

    @property
    def processes(self) -> StackProcesses:
        """Its processes, as they are at each look."""
        return StackProcesses(self._entries)

    @property
    def storage(self) -> StorageSettings:
        """Its object store, with the keys of the stack."""
        store = self.state["s3"]
        return StorageSettings(
            s3_endpoint_url=store["endpoint"],
            s3_bucket=store["bucket"],
            aws_access_key_id=store["access_key_id"],
            aws_secret_access_key=store["secret_access_key"],
        )

    def _entries(self) -> Mapping[str, Mapping[str, Any]]:
        entries: Mapping[str, Mapping[str, Any]] = json.loads((self.data_dir / "stack.json").read_text())["processes"]
        return entries


@dataclass(frozen=True)
class Product(BenchStack):
    """A running product with its simulator."""

    simulator: SimulatorControl

    @property
    def api_url(self) -> str:
        """The address of its first API."""
        return str(self.state["api_url"])

    def client(self) -> httpx.AsyncClient:
        """Talks to the API with the key; over a transport that costs the machine little."""
        transport = ClientBuilder().no_proxy().http1_only().timeout(timedelta(seconds=_REQUEST_SECONDS)).build()
        return httpx.AsyncClient(
            base_url=self.api_url,
            transport=HttpxTransport(transport),
            headers={"authorization": f"Bearer {self.state['api_key']}"},
            timeout=None,  # set above, on the transport
            trust_env=False,
        )


@contextmanager
def running_product(plan: Plan, settings: Mapping[str, str] | None = None, *scale: str) -> Iterator[Product]:
    """The whole stack with ``settings`` (AUTOS_...) and ``scale`` (``downloader=2``), in a new directory below the
    plan's.

    The product's own limits are out of the way (_SETTINGS), and so is the developer's environment. It is stopped with
    the block, and its data removed. Raises BenchmarkFailed when it is not ready in time.
    """
    arguments = [part for value in scale for part in ("--scale", value)]
    with _running(plan, arguments, {**_SETTINGS, **(settings or {})}) as (data_dir, state):
        words = state["processes"]["pdpj"]["command"].split()
        port = words[words.index("--port") + 1]
        with SimulatorControl(f"http://127.0.0.1:{port}") as simulator:
            yield Product(data_dir, state, simulator)


@contextmanager
def running_servers(plan: Plan) -> Iterator[BenchStack]:
    """Kafka, PostgreSQL and S3 alone, provisioned. Raises BenchmarkFailed."""
    with _running(plan, ["--servers-only"], {}) as (data_dir, state):
        yield BenchStack(data_dir, state)


@contextmanager
def _running(
    plan: Plan, arguments: Sequence[str], settings: Mapping[str, str]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A stack in a directory of its own, and what its stack.json says; stopped and removed at the end."""
    data_dir = plan.work_dir / f"stack-{next(_stacks)}"
    log = plan.work_dir / f"{data_dir.name}.log"
    command = Command(
        (sys.executable, "-m", "autos.local.stack", "--data-dir", str(data_dir), *arguments),
        log,
        env={**_environment(), **settings},
        death_signal=signal.SIGTERM,
        bare=True,
    )
    process = start(command)
    try:
        _wait_until_ready(process, data_dir, log)
        yield data_dir, json.loads((data_dir / "stack.json").read_text())
    finally:
        end(process, _STOP_SECONDS)
        shutil.rmtree(data_dir, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes], data_dir: Path, log: Path) -> None:
    files = StateFiles(data_dir)
    deadline = time.monotonic() + _START_SECONDS
    while not (files.supervisor_pid() == process.pid and files.phase()[0] is Phase.READY):
        if process.poll() is not None:
            raise BenchmarkFailed(f"the stack did not start: {log.read_text(errors='replace').strip()[-500:]}")
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"the stack was not ready within {_START_SECONDS:g} s")
        time.sleep(0.05)


def _environment() -> dict[str, str]:
    """Ours without settings of the developer's own, which would change what is measured."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOS_", "AWS_")) or name in {"AUTOS_CACHE_DIR", "AUTOS_MAVEN_MIRROR"}
    }
