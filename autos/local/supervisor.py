"""Keeps processes alive: starts one again when it dies, later each time, and ends them all in order.

One thread, the main one, calls every method: the kernel ties a child's death signal to the thread that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from autos.local.server import Command, start

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0
STEADY_SECONDS: Final = 10.0
"""Alive this long, a process has recovered: its next death is a first one again."""


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a dead process is started again (seconds)."""

    delay: float = FIRST_DELAY

    def after_death(self, alive_seconds: float) -> tuple[float, Backoff]:
        """The wait now, and the state for the next death."""
        wait = FIRST_DELAY if alive_seconds >= STEADY_SECONDS else self.delay
        return wait, Backoff(min(wait * 2, LONGEST_DELAY))


@dataclass
class Child:
    """A supervised process, alive or waiting to be started again."""

    name: str
    command: Command
    process: subprocess.Popen[bytes]
    started_at: float
    log_offset: int
    backoff: Backoff = Backoff()
    start_again_at: float | None = None
    deaths: int = 0
    exit_status: int | None = None
    """The exit status of its last death; negative for a signal."""

    @property
    def pid(self) -> int:
        return self.process.pid


class Supervisor:
    """The processes by name; ``changed`` is called after each start."""

    def __init__(
        self,
        changed: Callable[[Mapping[str, Child]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        starter: Callable[[Command], subprocess.Popen[bytes]] = start,
    ) -> None:
        self._changed = changed
        self._clock = clock
        self._starter = starter
        self.children: dict[str, Child] = {}

    def start(self, name: str, command: Command) -> Child:
        """Start a process and keep it alive from now on."""
        offset = command.log.stat().st_size if command.log.exists() else 0
        child = Child(name, command, self._starter(command), self._clock(), offset)
        self.children[name] = child
        self._changed(self.children)
        return child

    def tick(self) -> list[Child]:
        """Notice the dead, start again those whose time has come; the ones that were found dead now."""
        now = self._clock()
        died: list[Child] = []
        restarted = False
        for child in self.children.values():
            if child.start_again_at is None:
                status = child.process.poll()
                if status is None:
                    continue
                wait, child.backoff = child.backoff.after_death(now - child.started_at)
                child.start_again_at = now + wait
                child.exit_status = status
                child.deaths += 1
                died.append(child)
            elif now >= child.start_again_at:
                child.process = self._starter(child.command)
                child.started_at = now
                child.start_again_at = None
                restarted = True
        if restarted:
            self._changed(self.children)
        return died

    def stop(self, names: Iterable[str], grace: float) -> None:
        """Ask these to end, all at once; kill what is left after ``grace`` seconds. None of them is started again."""
        stopping = [self.children.pop(name) for name in names if name in self.children]
        running = [child for child in stopping if child.start_again_at is None]
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(child.command.stop_signal)
        deadline = self._clock() + grace
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - self._clock()))
            except subprocess.TimeoutExpired:
                pass
            finally:
                # Each child leads a process group of its own: this takes what it may have started too.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.process.wait()
