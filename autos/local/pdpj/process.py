"""A simulator in a child process for tests and benchmarks: on a free port, ended with the block."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autos.local.pdpj.control import SimulatorControl

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_ROOT = Path(__file__).resolve().parents[3]  # where `-m autos.local.pdpj` is found, wherever the tests run


@dataclass(frozen=True)
class RunningSimulator:
    control: SimulatorControl
    pid: int

    @property
    def address(self) -> str:
        return self.control.address


@contextmanager
def running_simulator(
    *, host: str = "127.0.0.1", port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[RunningSimulator]:
    """Start ``python -m autos.local.pdpj`` and wait until it serves. Raises RuntimeError when it does not start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "autos.local.pdpj", "--host", host, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
    )
    try:
        with SimulatorControl(_address(process)) as control:
            yield RunningSimulator(control, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """The end of the line that the process prints when it serves."""
    assert process.stdout is not None
    deadline = threading.Timer(_START_SECONDS, process.kill)  # ends the readline below
    deadline.start()
    try:
        line = process.stdout.readline()
    finally:
        deadline.cancel()
    if "listening on" not in line:
        raise RuntimeError(f"the PDPJ simulator did not start (exit status {process.wait(_STOP_SECONDS)})")
    return line.split()[-1]
