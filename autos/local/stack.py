"""The embedded stack from start to end: servers, provisioning, services.

``python -m autos.local.stack --data-dir DIR``.
Everything slow runs in threads; the main thread starts the processes, watches them and hears the signals.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Final

from dotenv import dotenv_values

from autos.local import composition, provisioning
from autos.local.artifacts import ArtifactError, missing_jars
from autos.local.composition import WrongScale
from autos.local.control.server import ControlServer
from autos.local.control.start import start_control
from autos.local.endpoints import choose
from autos.local.greeting import greeting, page_url
from autos.local.kafka import Kafka
from autos.local.ports_and_secrets import PortsAndSecrets, write_json
from autos.local.postgres import Postgres
from autos.local.s3 import S3
from autos.local.server import Command, Server, StartError
from autos.local.state import AlreadyRunning, Connections, Phase, StateFiles
from autos.local.supervisor import Child, Supervisor
from autos.local.tasks import Task, answers, as_start_error, obituary, reachable

_START_SECONDS: Final = 90.0
_DEATHS_AT_START: Final = 3
_TICK: Final = 0.05
_SERVICE_GRACE, _SERVER_GRACE = 25.0, 15.0
_WRONG_SETTINGS: Final = 2
"""The exit status of a service that does not like its settings: starting it again would not help."""


@dataclass(frozen=True)
class Options:
    """What ``autos up`` was asked for."""

    data_dir: Path
    replicas: Mapping[str, int] = field(default_factory=dict)
    servers_only: bool = False
    """Only Kafka, PostgreSQL and S3, provisioned: what integration tests need."""


class Interrupted(Exception):
    """A signal asked for the end before the start was complete."""


class Stack:
    """One embedded stack in one data directory."""

    def __init__(
        self, options: Options, environ: Mapping[str, str], say: Callable[[str], None], *, says_key: bool = True
    ) -> None:
        """``says_key``: whether what is said goes to a person, and not into a log, which holds no secret."""
        self._options = options
        self._data_dir = options.data_dir
        # As the services read it: the environment wins over .env.
        from_file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
        self._environ = {**from_file, **environ}
        self._say = say
        self._says_key = says_key
        self._files = StateFiles(self._data_dir)
        self._saved = PortsAndSecrets(self._data_dir)
        bucket = self._environ.get("AUTOS_S3_BUCKET") or "autos"
        self._kafka = Kafka(self._data_dir, self._saved)
        self._postgres = Postgres(self._data_dir, self._saved)
        self._s3 = S3(self._data_dir, self._saved, bucket)
        self._servers: tuple[Server, ...] = (self._kafka, self._postgres, self._s3)
        self._to_start: queue.SimpleQueue[tuple[str, Command]] = queue.SimpleQueue()
        self._supervisor = Supervisor(self._on_change)
        self._connections: Connections | None = None
        self._api_urls: list[str] = []
        self._control: ControlServer | None = None
        self._page_url = ""
        self._phase = Phase.STARTING
        self._asked_to_end = False

    def run(self) -> int:
        """Start, watch until a signal comes, stop; the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._data_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._files.acquire()
        except AlreadyRunning:
            self._say(f"a stack is running already in {self._data_dir} (see `autos ps`, `autos down`)")
            return 1
        status, message = 0, ""
        try:
            self._files.end_leftovers()
            self._files.write(self._phase, {}, None)
            # What the start imports stays: the collector takes a quarter of its time, and finds nothing.
            gc.disable()
            try:
                self._start()
            finally:
                gc.freeze()
                gc.enable()
            self._watch()
        except Interrupted:
            status = 130
        except (StartError, ArtifactError) as error:
            status, message = 1, str(error)
            self._say(message)
        finally:
            self._stop(message)
        return status

    def _start(self) -> None:
        began = time.monotonic()
        if missing_jars():
            self._say("fetching Apache Kafka, once (43 MB)")
        connections = self._start_servers()
        if not self._options.servers_only:
            connections = self._start_services(connections)
        self._connections = connections
        self._phase = Phase.READY
        self._on_change(self._supervisor.children)
        seconds = time.monotonic() - began
        if self._options.servers_only:
            self._say(f"servers ready in {seconds:.1f} s")
        else:
            page = self._page_url if self._says_key else None
            self._say(greeting(connections, self._api_urls[1:], self._files.stack_file, seconds, page))

    def _watch(self) -> None:
        while not self._asked_to_end:
            for child in self._supervisor.tick():
                ended = f"{child.name} ended with status {child.exit_status}"
                self._say(f"{ended}; starting it again ({child.command.log})")
            time.sleep(_TICK)

    def _stop(self, message: str) -> None:
        # A second signal does not interrupt the end.
        self._phase = Phase.FAILED if message else Phase.STOPPING
        if self._control is not None:
            self._control.stop()
        names = list(self._supervisor.children)
        helpers = [name for name in names if name in composition.HELPERS]
        services = [name for name in names if name not in composition.HELPERS and name not in composition.SERVERS]
        self._supervisor.stop(services, _SERVICE_GRACE)
        self._supervisor.stop(helpers, _SERVER_GRACE)
        self._supervisor.stop(list(self._supervisor.children), _SERVER_GRACE)
        for server in self._servers:
            server.cleaned()
        self._files.write(self._phase, {}, None, message)
        self._files.release()

    # ---- the parts of the start --------------------------------------------------------------------------------
    def _start_servers(self) -> Connections:
        """Each server by itself: prepared, started, ready, provisioned."""
        secrets = provisioning.secrets_of(self._saved)
        dev: list[str] = []
        # Without services nobody would know the keys: what is made is then for tests, which read it as it is.
        kept = {} if self._options.servers_only else provisioning.webhook_keys(self._saved)
        keys = composition.secrets_keys({} if self._options.servers_only else self._environ, kept)
        steps: dict[Server, Callable[[], None]] = {
            self._kafka: lambda: provisioning.make_topics(self._kafka.bootstrap_servers),
            self._postgres: lambda: dev.append(provisioning.make_database(self._postgres.owner_url, secrets, keys)),
            self._s3: lambda: provisioning.make_bucket(self._s3),
        }
        tasks = {server.name: Task(self._bringing_up(server, step)) for server, step in steps.items()}
        self._complete(tasks)
        return Connections(
            api_url="",
            api_key=secrets.api_key,
            webhook_secret=dev[0],
            kafka=self._kafka.bootstrap_servers,
            database_url=self._postgres.owner_url,
            s3={
                "endpoint": self._s3.endpoint,
                "bucket": self._s3.bucket,
                "access_key_id": self._s3.access_key_id,
                "secret_access_key": self._s3.secret_access_key,
            },
        )

    def _bringing_up(self, server: Server, step: Callable[[], None]) -> Callable[[], None]:
        def work() -> None:
            server.prepare()
            self._to_start.put((server.name, server.command()))
            self._until(server.name, server.is_ready)
            step()

        return work

    def _start_services(self, connections: Connections) -> Connections:
        names = composition.process_names(self._options.replicas)
        processes = [process for process, _, _ in names]
        endpoints = choose(processes, connections, self._environ, self._saved, self._postgres, self._data_dir)
        base = composition.base_environment(self._environ, endpoints, self._data_dir)
        logs = self._data_dir / "logs"
        host = reachable(endpoints.api_host)
        commands = {
            "receiver": composition.receiver_command(endpoints.receiver_port, connections.webhook_secret, base, logs)
        }
        probes = {"receiver": ("127.0.0.1", endpoints.receiver_port, "/health")}
        if endpoints.pdpj_port is not None:
            commands["pdpj"] = composition.pdpj_command(endpoints.pdpj_port, base, logs)
            probes["pdpj"] = ("127.0.0.1", endpoints.pdpj_port, "/_control/health")
        for process, service, replica in names:
            commands[process] = composition.service_command(process, service, replica, base, endpoints, logs)
            probes[process] = (
                (host, endpoints.api_ports[process], "/health/ready")
                if service == "api"
                else ("127.0.0.1", endpoints.metrics_ports[process], "/metrics")
            )
        tasks = {}
        for process, command in commands.items():
            self._supervisor.start(process, command)
            tasks[process] = Task(self._answering(process, *probes[process]))
        self._complete(tasks)
        self._api_urls = [f"http://{host}:{port}" for port in endpoints.api_ports.values()]
        token = self._saved.secret("control")
        self._control = start_control(endpoints, token, self._api_urls, lambda: self._supervisor.children)
        self._page_url = page_url(self._api_urls[0], connections.api_key, token)
        write_json(self._files.page_file, {"url": self._page_url})
        return replace(connections, api_url=self._api_urls[0])

    # ---- waiting -----------------------------------------------------------------------------------------------
    def _answering(self, name: str, host: str, port: int, path: str) -> Callable[[], None]:
        return lambda: self._until(name, lambda: answers(host, port, path))

    def _until(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            if time.monotonic() > deadline:
                log = self._data_dir / "logs" / f"{name}.log"
                raise StartError(f"{name} was not ready within {_START_SECONDS:g} s\nits log: {log}")
            time.sleep(_TICK)

    def _complete(self, tasks: Mapping[str, Task]) -> None:
        """Watch everything until these tasks are done. Raises StartError, Interrupted."""
        while True:
            if self._asked_to_end:
                raise Interrupted
            with contextlib.suppress(queue.Empty):
                while True:
                    self._supervisor.start(*self._to_start.get_nowait())
            for child in self._supervisor.tick():
                if child.exit_status == _WRONG_SETTINGS or child.deaths >= _DEATHS_AT_START:
                    raise StartError(obituary(child))
            for name, task in tasks.items():
                if task.error is not None:
                    raise as_start_error(name, task.error)
            if all(task.done for task in tasks.values()):
                return
            time.sleep(_TICK)

    # ---- what it tells -----------------------------------------------------------------------------------------
    def _on_change(self, children: Mapping[str, Child]) -> None:
        self._files.write(self._phase, children, self._connections)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end = True


def main(arguments: list[str] | None = None) -> int:
    """The supervisor as a process of its own; ``autos up`` starts it."""
    parser = argparse.ArgumentParser(prog="python -m autos.local.stack")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--scale", action="append", default=[], metavar="SERVICE=N")
    parser.add_argument("--servers-only", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        options = Options(chosen.data_dir, composition.parse_scale(chosen.scale), chosen.servers_only)
    except WrongScale as error:
        parser.error(str(error))
    return Stack(options, os.environ, lambda text: print(text, flush=True), says_key=False).run()


if __name__ == "__main__":
    sys.exit(main())
