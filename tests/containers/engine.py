"""A Docker engine for the tests: the one that answers, else one of our own, started here and stopped again."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from autos.local.artifacts import cache_dir
from autos.local.server import Command, start
from tests.support import wait_until

_DEBIAN_PACKAGES: Final = ("docker.io", "docker-compose", "mmdebstrap")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 60.0


class NoEngine(Exception):
    """There is no engine, and none can be had. The message is one line."""


@contextmanager
def running_engine() -> Iterator[dict[str, str]]:
    """The environment that docker commands need; raises NoEngine.

    Where no engine answers, root on Debian installs one from Debian's packages and starts it for as long as this
    lasts. Its images are kept in the cache of Autos (AUTOS_CACHE_DIR), its containers are gone at the end.
    """
    if _answers({}):
        yield {}
        return
    _install()
    place = cache_dir() / "docker"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("a") as lock, _run_folder() as scratch:
        # One engine for one folder of images.
        fcntl.flock(lock, fcntl.LOCK_EX)
        socket = f"unix://{scratch}/docker.sock"
        log = Path(scratch) / "dockerd.log"
        command = (
            "dockerd",
            f"--data-root={place / 'data'}",
            f"--exec-root={scratch}/exec",
            f"--pidfile={scratch}/dockerd.pid",
            f"--host={socket}",
        )
        process = start(Command(command, log, death_signal=signal.SIGTERM))
        environment = {"DOCKER_HOST": socket}

        def is_up() -> bool:
            if process.poll() is not None:
                raise NoEngine(f"dockerd does not start: {log.read_text(errors='replace').strip()[-300:]}")
            return _answers(environment)

        try:
            wait_until(is_up, _START_SECONDS, "dockerd")
            _clear(environment)
            yield environment
            _clear(environment)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    answer = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, timeout=30, check=False)
    return answer.returncode == 0


@contextmanager
def _run_folder() -> Iterator[str]:
    """A folder for sockets and state; dockerd leaves the network namespace of the host mounted in it."""
    folder = tempfile.mkdtemp(prefix="autos-docker-")
    try:
        yield folder
    finally:
        mounted = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
        for place in sorted((place for place in mounted if place.startswith(f"{folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _clear(environment: dict[str, str]) -> None:
    """Remove what an interrupted run has left in our own engine; its images stay."""
    for script in (
        "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes",
        "docker volume ls --quiet | xargs --no-run-if-empty docker volume rm",
        "docker network prune --force",
        "docker image prune --force --filter until=48h",
    ):
        environ = {**os.environ, **environment}
        subprocess.run(["sh", "-c", script], env=environ, capture_output=True, timeout=120, check=False)


def _install() -> None:
    programs = ("docker", "dockerd", "mmdebstrap")
    if all(shutil.which(program) for program in programs) and os.geteuid() == 0 and _compose_words():
        return
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise NoEngine("no Docker engine answers, and only root on Debian can start one here")
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", *_DEBIAN_PACKAGES],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise NoEngine(f"{' '.join(command[:2])} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


def _compose_words() -> tuple[str, ...]:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ("docker", "compose")
    return ("docker-compose",) if shutil.which("docker-compose") else ()


def compose_words() -> tuple[str, ...]:
    """How Compose is called here. Raises NoEngine where it is not installed."""
    words = _compose_words()
    if not words:
        raise NoEngine("Docker Compose is not installed")
    return words
