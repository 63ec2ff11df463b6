"""What the control server does: kills processes, and passes requests on to the simulator and the receiver."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import psutil

from autos.local.supervisor import Child

_SECONDS: Final = 10.0
_NUMBER: Final = re.compile(r"[0-9.-]{20,25}")
_SHOWN: Final = 2_000
"""The newest of what the receiver got."""


class Refused(Exception):
    """Something that cannot be done; ``status`` is that of the answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Actions:
    """``children`` answers the supervised processes. Without a simulator what troubles the source is refused (404)."""

    def __init__(
        self, children: Callable[[], Mapping[str, Child]], *, simulator_url: str | None, receiver_url: str
    ) -> None:
        self._children = children
        self._simulator = simulator_url
        self._receiver = receiver_url

    def perform(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """The answer to a request. Raises Refused."""
        match method, path.strip("/").split("/"):
            case "GET", ["processes"]:
                return self._processes()
            case "POST", ["processes", name, "kill"]:
                return self._kill(name)
            case (("GET" | "PATCH"), ["source"]):
                return self._simulated(method, "source", body)
            case "PUT", ["cases", number] if _NUMBER.fullmatch(number):
                return self._simulated("PUT", f"cases/{number}", body)
            case (("POST" | "DELETE"), ["receiver"]):
                return _call(method, f"{self._receiver}/_control", body)
            case "GET", ["received"]:
                return self._received(query.get("path", "/"))
            case _:
                raise Refused(404, f"no control route {method} {path}")

    def _processes(self) -> dict[str, Any]:
        shown = [
            {
                "name": name,
                "pid": child.pid,
                "running": child.start_again_at is None and child.process.returncode is None,
                "stopped": _is_stopped(child.pid),
                "deaths": child.deaths,
            }
            for name, child in sorted(dict(self._children()).items())
        ]
        return {"processes": shown, "receiver_url": self._receiver, "simulated": self._simulator is not None}

    def _kill(self, name: str) -> dict[str, Any]:
        child = self._children().get(name)
        if child is None:
            raise Refused(404, f"there is no process {name}")
        if child.start_again_at is not None:
            raise Refused(409, f"{name} is dead and will be started again")
        # The whole group: PostgreSQL's and Kafka's own processes die as they would with the machine.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        return {"name": name, "pid": child.pid}

    def _simulated(self, method: str, path: str, body: Any) -> Any:
        if self._simulator is None:
            raise Refused(404, "this stack uses a source that is not simulated")
        return _call(method, f"{self._simulator}/_control/{path}", body)

    def _received(self, path: str) -> list[dict[str, Any]]:
        found = _call("GET", f"{self._receiver}/_received?path={quote(path)}", None)
        return [_short(item) for item in found[-_SHOWN:]]


def _is_stopped(pid: int) -> bool:
    """Whether a signal (SIGSTOP) has stopped the process: it is there, and does nothing."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def _short(item: Mapping[str, Any]) -> dict[str, Any]:
    body = item["body"] if isinstance(item["body"], dict) else {}
    data = body.get("data") or {}
    kept = {name: item[name] for name in ("path", "webhook_id", "attempt", "verified", "answered", "received_at")}
    return {**kept, "process_number": data.get("process_number"), "status": data.get("status")}


def _call(method: str, url: str, body: Any) -> Any:
    """An answer of the simulator or the receiver. Raises Refused."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise Refused(error.code, error.read(1000).decode(errors="replace")) from error
    except (OSError, ValueError) as error:
        raise Refused(503, "the simulator or the receiver does not answer") from error
