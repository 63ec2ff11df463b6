"""What a running stack tells the outside (stack.json, its supervisor's phase), and the lock that keeps it single."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final

import psutil

from autos.local.ports_and_secrets import read_json, write_json
from autos.local.supervisor import Child

_PROBE_SECONDS: Final = 0.5


class AlreadyRunning(Exception):
    """Another supervisor has this data directory."""


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Connections:
    """How to reach the stack; the part of stack.json that does not change while it runs."""

    api_url: str
    api_key: str
    webhook_secret: str
    kafka: str
    database_url: str
    s3: Mapping[str, str]


def described(children: Mapping[str, Child]) -> dict[str, dict[str, Any]]:
    """The processes as stack.json has them."""
    return {
        name: {"pid": child.pid, "command": shlex.join(child.command.argv), "log": str(child.command.log)}
        for name, child in children.items()
    }


def process_of(pid: int) -> psutil.Process | None:
    """The process with this pid; None for one that is gone, or only waits for its parent to take note of its end."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


class StateFiles:
    """The files by which the commands and a running supervisor know of each other."""

    def __init__(self, data_dir: Path) -> None:
        self.stack_file = data_dir / "stack.json"
        self.page_file = data_dir / "page.json"
        self._supervisor_file = data_dir / "supervisor.json"
        self._lock_file = data_dir / "supervisor.lock"
        self._lock: IO[str] | None = None

    # ---- the supervisor's side ---------------------------------------------------------------------------------
    def acquire(self) -> None:
        """Take the data directory until :meth:`release` or the end of the process. Raises AlreadyRunning."""
        # Kept open for as long as the lock is held.
        file = self._lock_file.open("a")
        deadline = time.monotonic() + _PROBE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                # Another process that only asks (is_running) has it for an instant.
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                file.close()
                raise AlreadyRunning from None
            self._lock = file
            return

    def release(self) -> None:
        """Let another supervisor have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(
        self, phase: Phase, children: Mapping[str, Child], connections: Connections | None, message: str = ""
    ) -> None:
        """Say where we are. stack.json is there once ``connections`` are known and until the end."""
        processes = described(children)
        # stack.json first: whoever sees the phase READY finds it.
        if connections is None:
            self.stack_file.unlink(missing_ok=True)
            self.page_file.unlink(missing_ok=True)
        else:
            write_json(self.stack_file, {**asdict(connections), "processes": processes})
        write_json(
            self._supervisor_file,
            {"pid": os.getpid(), "phase": phase, "message": message, "processes": processes},
        )

    def end_leftovers(self, grace: float = 5.0) -> int:
        """End what an earlier supervisor, killed without notice, has left; how many. Call it with the lock held."""
        left = []
        for entry in read_json(self._supervisor_file).get("processes", {}).values():
            # A pid alone may be anybody's by now.
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(entry["pid"])
                if process.cmdline() == shlex.split(entry["command"]):
                    process.send_signal(signal.SIGTERM)
                    left.append(process)
        _, alive = psutil.wait_procs(left, timeout=grace)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=grace)
        return len(left)

    # ---- the commands' side ------------------------------------------------------------------------------------
    def is_running(self) -> bool:
        """Whether a supervisor holds the data directory."""
        try:
            with self._lock_file.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return False

    def phase(self) -> tuple[Phase | None, str]:
        """What the supervisor said last, and its message."""
        state = read_json(self._supervisor_file)
        try:
            return Phase(state.get("phase", "")), str(state.get("message", ""))
        except ValueError:
            return None, ""

    def supervisor_pid(self) -> int | None:
        """The supervisor's pid while one runs."""
        pid = read_json(self._supervisor_file).get("pid")
        return pid if isinstance(pid, int) and self.is_running() else None

    def processes(self) -> dict[str, dict[str, Any]]:
        """The processes of the running stack by name."""
        return dict(read_json(self._supervisor_file).get("processes", {})) if self.is_running() else {}

    def stop_running(self, timeout: float) -> bool:
        """Ask the running supervisor to end and wait for it. False when none runs; raises TimeoutError (seconds)."""
        pid = self.supervisor_pid()
        if pid is None:
            return False
        supervisor = process_of(pid)
        if supervisor is None:
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        # The lock is free a little before the process is gone.
        while self.is_running() or process_of(pid) == supervisor:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the supervisor (pid {pid}) did not end within {timeout:g} s")
            time.sleep(0.05)
        return True
