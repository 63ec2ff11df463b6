"""What every process of the stack is described by, and how one is started: as a direct child that ends with us."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autos.local import launch


class StartError(Exception):
    """Something of the stack could not be prepared or started. The message is one or two lines."""


@dataclass(frozen=True)
class Account:
    """A system user that a process runs as when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """A process to run: arguments, what its environment adds to ours, where its output goes."""

    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when the supervisor dies (Linux)."""
    stop_signal: signal.Signals = signal.SIGTERM
    """What asks it to end."""
    bare: bool = False
    """Whether ``env`` is the whole environment."""


class Server(Protocol):
    """One server of the embedded stack. Every method blocks and can be repeated."""

    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Write configuration, make the data. Raises StartError."""

    def command(self) -> Command:
        """What to run, after :meth:`prepare`."""

    def is_ready(self) -> bool:
        """Whether it answers; returns within a second or so."""

    def cleaned(self) -> None:
        """Remove what its process leaves outside of the data directory; called when it has ended."""


def unprivileged_account() -> Account | None:
    """The user for what must not run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def _launched(command: Command) -> tuple[list[str], dict[str, str]]:
    account = command.account
    user = "-" if account is None else f"{account.uid}:{account.gid}"
    argv = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(int(command.death_signal)), user, *command.argv]
    return argv, dict(command.env) if command.bare else {**os.environ, **command.env}


def private(path: str, flags: int) -> int:
    """Opens a log as its owner's alone, also one that an earlier release left for everybody."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def start(command: Command) -> subprocess.Popen[bytes]:
    """Start it, its output appended to its log. Call it from the main thread: the kernel ties a child to its thread."""
    argv, env = _launched(command)
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with open(command.log, "ab", opener=private) as log:
        # A session of its own, so that Ctrl-C in the terminal reaches the supervisor alone.
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )


def run(command: Command, timeout: float = 60) -> None:
    """Run it to its end. Raises StartError with the last line that it wrote."""
    argv, env = _launched(command)
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise StartError(f"{Path(command.argv[0]).name} did not end within {timeout:g} s") from None
    with open(command.log, "a", opener=private) as log:
        log.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise StartError(f"{Path(command.argv[0]).name} failed: {last_line(done.stderr or done.stdout)}")


def last_line(text: str) -> str:
    """The last line with something in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it wrote nothing"
