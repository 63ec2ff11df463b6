"""The integration tests that speak with servers, on containers of testcontainers (AUTOS_TEST_STACK=docker)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]

ROOT: Final = Path(__file__).parents[2]
PART: Final = (
    "db/test_engine.py",
    "db/test_errors.py",
    "db/test_outbox_relay.py",
    "kafka/test_sinks.py",
    "status/test_apply.py",
    "notifier/test_store.py",
    "downloader/test_lost_objects.py",
    "api/test_documents_and_jobs.py",
)
"""Every kind of server, through every service, in two minutes; `make integration-containers` runs the whole folder."""
_SECONDS: Final = 900.0


def test_integration_tests_pass_on_containers(images: Mapping[str, str]) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, *(f"tests/integration/{name}" for name in PART)],
        cwd=ROOT,
        env={**os.environ, **images, "AUTOS_TEST_STACK": "docker"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 90, done.stdout[-500:]
