"""CPU, memory and open files of the stack's processes, from outside and by name (replicas added up)."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

SERVICES: Final = ("api", "downloader", "status", "notifier")
_STEP_SECONDS: Final = 0.05


class StackProcesses:
    """The processes that ``entries`` (stack.json's) names now; read anew each time, since pids change."""

    def __init__(self, entries: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._entries = entries

    def cpu(self) -> dict[str, float]:
        """CPU seconds since each process began, its children's with it."""
        return self._added_up(_cpu_seconds)

    def memory(self) -> dict[str, float]:
        """Resident megabytes now. Pages that PostgreSQL's processes share count once for each of them."""
        return self._added_up(lambda process: process.memory_info().rss / 1e6)

    def open_files(self) -> dict[str, float]:
        """File descriptors now."""
        return self._added_up(lambda process: float(process.num_fds()))

    def pids(self, service: str) -> list[int]:
        """The process ids of each replica of a service."""
        return [entry["pid"] for name, entry in self._entries().items() if name.partition(".")[0] == service]

    def all(self) -> list[tuple[str, int]]:
        """Every process as (service, pid)."""
        return [(name.partition(".")[0], int(entry["pid"])) for name, entry in self._entries().items()]

    def _added_up(self, reading: Callable[[psutil.Process], float]) -> dict[str, float]:
        total: dict[str, float] = {}
        for service, pid in self.all():
            for member in family(pid):
                try:
                    total[service] = total.get(service, 0.0) + reading(member)
                except psutil.Error:
                    continue  # it ended in between
        return total


def family(pid: int) -> list[psutil.Process]:
    """A process and its children, theirs too; none when it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def end(process: subprocess.Popen[bytes], within: float, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process of ours to end, and kill it when it has not after ``within`` seconds."""
    process.send_signal(by)
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def own(used: Mapping[str, float]) -> float:
    """What our own four services used of it."""
    return sum(used.get(service, 0.0) for service in SERVICES)


class PeakMemory:
    """The most resident megabytes of processes during a ``with``.

    Sampled, and where the kernel keeps a high-water mark (Linux: VmHWM, reset through clear_refs) that is used too.
    """

    def __init__(self, pids: list[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> PeakMemory:
        for process in self._processes:
            _forget_high_water(process.pid)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        marks = [_high_water(process.pid) for process in self._processes]
        if all(mark is not None for mark in marks):
            self.megabytes = max(self.megabytes, *(mark for mark in marks if mark is not None))

    def _sample(self) -> None:
        while True:
            try:
                now = max((process.memory_info().rss / 1e6 for process in self._processes), default=0.0)
            except psutil.Error:
                return
            self.megabytes = max(self.megabytes, now)
            if self._ending.wait(_STEP_SECONDS):
                return


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    # Children that have ended count with the parent that has waited for them.
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def _forget_high_water(pid: int) -> None:
    # proc_pid_clear_refs(5): 5 resets the peak resident set size.
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return


def _high_water(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    return int(found[0][1]) * 1024 / 1e6 if found else None
