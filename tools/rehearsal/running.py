"""A running embedded stack from outside: its API, its simulator, its receiver and its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import httpx

from autos.local.pdpj.control import SimulatorControl
from autos.local.state import StateFiles

_STEP_SECONDS: Final = 0.3


class NotReady(Exception):
    """There is no stack, or something that should have happened on it did not, in time."""


def start_stack(data_dir: Path) -> None:
    """Start a stack where none runs. Raises NotReady."""
    data_dir.mkdir(parents=True, exist_ok=True)
    if StateFiles(data_dir).is_running():
        return
    command = [sys.executable, "-m", "autos.main", "up", "--detach", "--data-dir", str(data_dir)]
    if subprocess.run(command, check=False).returncode != 0:
        raise NotReady("the stack did not start")


class RehearsalStack:
    """The stack of a data directory, by the files that it keeps true there. Raises NotReady when there is none."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        if not StateFiles(data_dir).is_running():
            raise NotReady(f"no stack runs in {data_dir}: `make up`")
        state = self._state()
        headers = {"authorization": f"Bearer {state['api_key']}"}
        self.api = httpx.Client(base_url=state["api_url"], headers=headers, timeout=60, trust_env=False)
        self.simulator = SimulatorControl(f"http://127.0.0.1:{self._port('pdpj')}")
        self.receiver = httpx.Client(base_url=f"http://127.0.0.1:{self._port('receiver')}", trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.api, self.simulator, self.receiver):
            client.close()

    @property
    def page_url(self) -> str:
        """The page's address with the key in its fragment."""
        return str(json.loads((self._dir / "page.json").read_text())["url"])

    def signal(self, process: str, number: signal.Signals) -> None:
        """Send a signal to a process of the stack."""
        os.kill(self._state()["processes"][process]["pid"], number)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of a GET of the API. Raises httpx.HTTPStatusError."""
        return self.api.get(path, params=parameters).raise_for_status().json()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Wait until something is so. Raises NotReady."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise NotReady(f"after {seconds:.0f} s still not: {what}")
            time.sleep(_STEP_SECONDS)

    def _state(self) -> Any:
        return json.loads((self._dir / "stack.json").read_text())

    def _port(self, process: str) -> str:
        words = str(self._state()["processes"][process]["command"]).split()
        return words[words.index("--port") + 1]
