"""CPU and context switches of each thread of the stack, from /proc (proc_pid_stat(5), proc_pid_status(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import psutil

from tools.bench.processes import family

_OF_THREAD: Final = " of thread "
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_NUMBER: Final = re.compile(r"[-_]?\d+$")
_POSTGRES: Final = re.compile(r"postgres: (\S+)(?: (\S+) \S+\(\d+\))?")


def cpu_ms(stat: str) -> tuple[str, float]:
    """The name of a thread and its CPU milliseconds, from its ``stat``. The kernel counts in ticks of 10 ms."""
    name, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    return name, (int(fields[11]) + int(fields[12])) * 1000 / _TICKS


def switches(status: str) -> tuple[int, int]:
    """Voluntary and involuntary context switches, from a thread's ``status``."""
    found = dict(line.split(":\t", 1) for line in status.splitlines() if "ctxt_switches" in line)
    return int(found["voluntary_ctxt_switches"]), int(found["nonvoluntary_ctxt_switches"])


def kind(name: str) -> str:
    """The name without its number: the threads of one pool count together."""
    return _NUMBER.sub("", name.strip()) or name


def postgres_kind(command: str) -> str:
    """Which of PostgreSQL's processes it is: a role's connections, or a worker such as ``walwriter``."""
    found = _POSTGRES.match(command)
    return "postmaster" if found is None else found.group(1)


def summed(counters: Mapping[str, float]) -> dict[str, float]:
    """The counters of single threads, as ``read`` names them, added up by what they count."""
    total: dict[str, float] = {}
    for name, value in counters.items():
        counter = name.partition(_OF_THREAD)[0]
        total[counter] = total.get(counter, 0.0) + value
    return total


def read(processes: Iterable[tuple[str, int]]) -> dict[str, float]:
    """The counters of each thread of these (service, pid) and of their children; what has ended is left out.

    Each name ends with the thread's number, so that one that ends takes nothing from the difference to a later look.
    """
    counters: dict[str, float] = {}
    for service, pid in processes:
        for member in family(pid):
            _add(counters, service, member)
    return counters


def _add(counters: dict[str, float], service: str, process: psutil.Process) -> None:
    for task in Path(f"/proc/{process.pid}/task").glob("*"):
        try:
            name, used = cpu_ms((task / "stat").read_text())
            voluntary, involuntary = switches((task / "status").read_text())
            if service == "postgres":
                name = postgres_kind(" ".join(process.cmdline()))
        except (OSError, ValueError, KeyError, psutil.Error):
            continue
        main = task.name == str(process.pid) and service != "postgres"
        for counter, value in (
            (f"CPU ms of {service}", used),
            (f"CPU ms of {service}, {'main thread' if main else kind(name)}", used),
            (f"voluntary switches of {service}", voluntary),
            (f"involuntary switches of {service}", involuntary),
        ):
            counters[f"{counter}{_OF_THREAD}{task.name}"] = float(value)
