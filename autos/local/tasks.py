"""Parts of a start: work in threads, asking whether a process answers, saying why one ended."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from contextlib import closing

from autos.local.server import StartError, last_line
from autos.local.supervisor import Child


class Task:
    """Blocking work in a daemon thread, which may outlive an interrupted start without holding up the exit."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.done = False
        self.error: BaseException | None = None
        self._work = work
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._work()
        # Handed to the main thread, which knows what to do with it.
        except BaseException as error:  # noqa: BLE001
            self.error = error
        self.done = True


def reachable(host: str) -> str:
    """Where to call a server that listens on ``host``."""
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host


def answers(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server answers this path with 200."""
    with closing(http.client.HTTPConnection(host, port, timeout=2)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def obituary(child: Child) -> str:
    """What failed, in its own last words, and where to read more."""
    with contextlib.suppress(OSError), child.command.log.open("rb") as log:
        log.seek(child.log_offset)
        words = last_line(log.read(1 << 20).decode(errors="replace"))
        return f"{child.name} ended with status {child.exit_status}: {words}\nits log: {child.command.log}"
    return f"{child.name} ended with status {child.exit_status}"


def as_start_error(name: str, error: BaseException) -> StartError:
    """Whatever went wrong, as one line."""
    if isinstance(error, StartError):
        return error
    return StartError(f"{name} could not be set up: {type(error).__name__}: {last_line(str(error))}")
