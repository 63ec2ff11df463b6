"""A database, a topic and worker processes for each test of the projection."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from autos.local.ports_and_secrets import free_port
from shared.kafka.admin import ensure_topics
from shared.records import TopicSpec
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers

PARTITIONS = 4
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def database(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers) as database:
        yield database


@pytest.fixture
def query(database: FreshDatabase) -> Iterator[Query]:
    """Rows of a statement, as the owner. Its connection is kept: many tests ask again and again."""
    made: list[Any] = []

    def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if not made or made[-1].closed:
            made.append(psycopg2.connect(database.owner_url))
            made[-1].autocommit = True
        try:
            with made[-1].cursor() as cursor:
                cursor.execute(statement, parameters)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found
        except psycopg2.OperationalError:
            # A test that closes the database ends this session with the others.
            if not made[-1].closed:
                raise
            return rows(statement, *parameters)

    yield rows
    for connection in made:
        connection.close()


@pytest.fixture
def topic(servers: Servers) -> str:
    name = f"test.document.events.{uuid.uuid4().hex[:8]}"
    ensure_topics(servers.bootstrap_servers, [TopicSpec(name, PARTITIONS)], None, 1)
    return name


class Worker:
    """A status process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, group: str, metrics_port: int) -> None:
        self.process = process
        self.group = group
        self._log = log
        self._metrics_port = metrics_port

    @property
    def log(self) -> str:
        return self._log.read_text()

    def metric(self, name: str) -> float | None:
        """The sum of a metric's samples, as Prometheus would scrape them; None when there is none."""
        text = httpx.get(f"http://127.0.0.1:{self._metrics_port}/metrics", trust_env=False).text
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M)
        return sum(map(float, found)) if found else None

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = 60) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(timeout)


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(servers: Servers, database: FreshDatabase, topic: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts status processes of one group; they end with the test."""
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    with ExitStack() as running:

        def start(*arguments: str) -> Worker:
            replica = str(uuid.uuid4().hex[:6])
            log, metrics_port = tmp_path / f"status.{replica}.log", free_port()
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("AUTOS_")},
                **servers.environment,
                "AUTOS_DATABASE_URL": database.role_urls["status"],
                "AUTOS_KAFKA_GROUP_PREFIX": prefix,
                "AUTOS_DATA_DIR": str(tmp_path / "data"),
                "AUTOS_REPLICA": replica,
                "AUTOS_METRICS_PORT": str(metrics_port),
                # A warning anywhere in Faust's use would become an error here, as in every test.
                "PYTHONWARNINGS": "error",
                "PYTHONPATH": str(Path.cwd()),
            }
            script = Path(__file__).with_name("run_status.py")
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, str(script), topic, *arguments],
                    env=environment,
                    cwd=tmp_path,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            worker = Worker(process, log, f"{prefix}.status", metrics_port)
            running.callback(worker.kill)
            return worker

        yield start
