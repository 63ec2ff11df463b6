"""A process of a service from outside: where its metrics listen, its first line, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from autos import __version__
from tests.support import wait_until

PROGRAM = """
import asyncio
import gc
gc.disable()  # as the services' own __main__ do while they import
from shared.service import run_service
from shared.settings import DatabaseSettings

async def main(settings, stop):
    assert gc.isenabled()
    await stop.wait()

raise SystemExit(run_service("example", DatabaseSettings, main))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of its own on Linux alone")
def test_metrics_listen_where_they_are_told_and_the_first_line_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listening:
        port = listening.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AUTOS_", "AWS_"))},
        "AUTOS_DATABASE_URL": "postgresql://somebody:hunter2@db/autos",
        "AUTOS_METRICS_HOST": "127.0.0.2",
        "AUTOS_METRICS_PORT": str(port),
        "AUTOS_REPLICA": "7",
    }
    log = tmp_path / "log"
    with log.open("w") as written:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=written, env=environment)
    try:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                text = httpx.get(f"http://127.0.0.2:{port}/metrics", trust_env=False, timeout=30).text
            except httpx.TransportError:
                return False
            return "autos_event_loop_heartbeat_age_seconds" in text

        wait_until(answers, what="the metrics")
        with socket.socket() as elsewhere:
            assert elsewhere.connect_ex(("127.0.0.1", port)) != 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    (line,) = [json.loads(one) for one in log.read_text().splitlines()]
    assert line["message"] == "The service starts"
    assert (line["service"], line["version"], line["replica"]) == ("example", __version__, "7")
    assert line["listens"] == {"metrics": f"http://127.0.0.2:{port}/metrics"}
    assert line["settings"]["AUTOS_DATABASE_URL"] == "postgresql://db/autos"
