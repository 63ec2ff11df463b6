"""``autos up``, ``down`` and ``ps``: the embedded stack on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from autos.context import data_dir as default_data_dir
from autos.context import fail

# Longer than a first start with its download of Kafka takes on a slow line.
_START_SECONDS = 600.0
_STOP_SECONDS = 90.0

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the stack keeps its data; AUTOS_DATA_DIR or .autos.")
]


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the API is ready.")] = False,
    scale: Annotated[list[str] | None, typer.Option(help="Replicas of a service, as in downloader=2.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Start Kafka, PostgreSQL, S3, the PDPJ simulator, a receiver and the four services.

    Example: autos up --detach --scale downloader=2
    """
    from autos.local.composition import WrongScale, parse_scale
    from autos.local.state import StateFiles

    directory = data_dir or default_data_dir()
    try:
        replicas = parse_scale(scale or [])
    except WrongScale as error:
        raise fail(str(error), status=2) from error
    directory.mkdir(parents=True, exist_ok=True)
    if StateFiles(directory).is_running():
        raise fail(f"a stack is running already in {directory} (see `autos ps`, `autos down`)")
    if detach:
        _up_detached(directory, scale or [])
        return
    from autos.local.stack import Options, Stack

    raise typer.Exit(Stack(Options(directory, replicas), os.environ, lambda text: print(text, flush=True)).run())


def _up_detached(directory: Path, scale: list[str]) -> None:
    from autos.local.ports_and_secrets import read_json
    from autos.local.server import private
    from autos.local.state import Phase, StateFiles

    files = StateFiles(directory)
    log_path = directory / "logs" / "supervisor.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "autos.local.stack", "--data-dir", str(directory)]
    arguments += [part for value in scale for part in ("--scale", value)]
    log_path.unlink(missing_ok=True)
    with open(log_path, "wb", opener=private) as log:
        supervisor = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while True:
            status = supervisor.poll()
            if status is not None:
                words = log_path.read_text(errors="replace").strip()
                raise fail(words or f"the supervisor ended with status {status}")
            if files.supervisor_pid() == supervisor.pid and files.phase()[0] is Phase.READY:
                break
            if time.monotonic() > deadline:
                _end(supervisor)
                raise fail(f"the stack was not ready within {_START_SECONDS:g} s\nits log: {log_path}")
            time.sleep(0.05)
    except KeyboardInterrupt:
        _end(supervisor)
        raise fail("interrupted; the stack was stopped", status=130) from None
    # The supervisor's greeting, and the development key, which its log does not hold.
    typer.echo(log_path.read_text(errors="replace").strip())
    typer.echo(f"  API key  {read_json(files.stack_file).get('api_key', '')}")
    typer.echo(f"  open     {read_json(files.page_file).get('url', '')}")
    # It outlives this command on purpose: nobody waits for it here.
    supervisor.returncode = 0


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.send_signal(signal.SIGTERM)
    try:
        supervisor.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def down(data_dir: DataDir = None) -> None:
    """Stop a running stack; its data stays.

    Example: autos down
    """
    from autos.local.state import StateFiles

    directory = data_dir or default_data_dir()
    try:
        stopped = StateFiles(directory).stop_running(_STOP_SECONDS)
    except TimeoutError as error:
        raise fail(str(error)) from error
    typer.echo("stopped" if stopped else f"no stack is running in {directory}")


def ps(data_dir: DataDir = None) -> None:
    """List the processes of the running stack, and the ports that they listen on (a service's /metrics too).

    Example: autos ps
    """
    from autos.local.state import StateFiles, process_of

    directory = data_dir or default_data_dir()
    files = StateFiles(directory)
    processes = files.processes()
    if not files.is_running():
        raise fail(f"no stack is running in {directory}")
    phase, _ = files.phase()
    typer.echo(f"{phase or 'unknown'}  supervisor {files.supervisor_pid()}")
    typer.echo(f"  {'process':<16}{'pid':>8}  {'state':<8} {'ports':<24} log")
    for name, entry in processes.items():
        alive = "running" if process_of(entry["pid"]) else "down"
        ports = ",".join(map(str, _ports(entry["pid"]))) or "-"
        typer.echo(f"  {name:<16}{entry['pid']:>8}  {alive:<8} {ports:<24} {entry['log']}")


def _ports(pid: int) -> list[int]:
    """The TCP ports that a process, or a child of it, listens on; none of one that this user may not look at."""
    import psutil

    found: set[int] = set()
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            listening = (each for each in one.net_connections(kind="tcp") if each.status == psutil.CONN_LISTEN)
            found.update(each.laddr.port for each in listening)
    except psutil.Error:
        return sorted(found)
    return sorted(found)
