"""The control server over HTTP: what it refuses, its module, and the kill of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autos.local.control.actions import Actions
from autos.local.control.guard import Guard
from autos.local.control.server import ControlServer
from autos.local.ports_and_secrets import free_port
from autos.local.server import Command
from autos.local.supervisor import Child

ORIGIN = "http://127.0.0.1:1"


@pytest.fixture
def child() -> Iterator[Child]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield Child("downloader", Command(("x",), Path("x.log")), process, 0.0, 0)
    process.kill()
    process.communicate()


@pytest.fixture
def client(child: Child) -> Iterator[httpx.Client]:
    port = free_port()
    actions = Actions(lambda: {child.name: child}, simulator_url=None, receiver_url="http://127.0.0.1:1")
    server = ControlServer(port, Guard("t", {ORIGIN}, port), actions)
    server.start()
    headers = {"Authorization": "Bearer t", "Origin": ORIGIN}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
        yield client
    server.stop()


def test_a_process_is_killed(client: httpx.Client, child: Child) -> None:
    shown = client.get("/processes").json()["processes"]
    assert shown == [{"name": "downloader", "pid": child.pid, "running": True, "stopped": False, "deaths": 0}]
    assert client.post("/processes/downloader/kill").json() == {"name": "downloader", "pid": child.pid}
    assert child.process.wait(60) == -9
    assert client.post("/processes/kafka/kill").status_code == 404


def test_a_stopped_process_is_said_to_be_stopped(client: httpx.Client, child: Child) -> None:
    os.kill(child.pid, signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    (shown,) = client.get("/processes").json()["processes"]
    assert (shown["running"], shown["stopped"]) == (True, True)


def test_the_module_is_there_and_nothing_else_without_the_token(client: httpx.Client) -> None:
    module = client.get("/module.js", headers={"Authorization": ""})
    assert module.headers["content-type"].startswith("text/javascript") and "makeTab" in module.text
    assert module.headers["access-control-allow-origin"] == ORIGIN
    assert client.get("/processes", headers={"Authorization": ""}).status_code == 403
    assert client.options("/processes", headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/source", 404),
        ("PATCH", "/source", 404),
        ("GET", "/received", 503),
        ("PUT", "/cases/../source", 404),
    ],
)
def test_what_cannot_be_done_is_said(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status and answer.json()["detail"]


def test_a_body_is_bounded_and_json(client: httpx.Client) -> None:
    assert client.post("/receiver", content=b"x").status_code == 422
    assert client.post("/receiver", content=b"1" * 70_000).status_code == 413
