"""System calls of processes while they run, counted by ``perf``; where it is not there or not allowed, none."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

_EVENT: Final = "raw_syscalls:sys_enter"
_STOP_SECONDS: Final = 30.0
_ATTACHED_SECONDS: Final = 1.0
"""Until perf has found every thread."""


def counted(answer: str) -> float | None:
    """The number in what ``perf stat -x,`` has written; None when it could not count."""
    for line in answer.splitlines():
        value, _, rest = line.partition(",")
        if _EVENT in rest:
            return float(value) if value.replace(".", "").isdecimal() else None
    return None


class Syscalls:
    """Counts during a ``with``; ``found`` afterwards, by service. Empty where there is no perf."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._pids = pids
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._ending = ExitStack()
        self.found: dict[str, float] = {}

    def __enter__(self) -> Syscalls:
        perf = shutil.which("perf")
        if perf is None or not self._pids:
            return self
        for service, pids in self._pids.items():
            argv = (perf, "stat", "-x,", "-e", _EVENT, "-p", ",".join(map(str, pids)))
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self._ending.callback(process.kill)
            self._running[service] = process
        time.sleep(_ATTACHED_SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        for running in self._running.values():
            running.send_signal(signal.SIGINT)
        for service, process in self._running.items():
            _, answer = process.communicate(timeout=_STOP_SECONDS)
            if (value := counted(answer)) is not None:
                self.found[f"system calls of {service}"] = value
        self._ending.close()
