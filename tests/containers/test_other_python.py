"""The Python of Debian trixie, in its image: the unit tests, and one case from the request to the signed webhook."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from autos.local.artifacts import cache_dir, kafka_jars
from tests.containers.deployment import ROOT
from tests.containers.stand_ins import has_image

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

_IMAGE: Final = "python:3.13-slim-trixie"
_UV: Final = ROOT / ".venv" / "bin" / "uv"
_SET_UP: Final = """
set -e
tar --extract --file /given/tree.tar --directory /tree
uv venv --quiet --python "$(command -v python3)" /environment
uv pip install --quiet --compile-bytecode --python /environment --require-hashes -r /tree/requirements/dev.txt
uv pip install --quiet --python /environment --no-deps --no-build-isolation --editable /tree
"""


class Interpreter:
    """A container with the checkout and an environment of its own."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._environment = {**os.environ, **environment}

    def run(self, *command: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """A command in the checkout."""
        inside = ["docker", "exec", "--workdir", "/tree", self._name, *command]
        return subprocess.run(
            inside, env=self._environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    def pytest(self, *arguments: str) -> str:
        """What pytest says at its end; fails with all of it when a test does."""
        done = self.run("/environment/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout.strip().splitlines()[-1]


def _files() -> bytes:
    """Names of the checkout's files, what is not committed yet too."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    return subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def interpreter(engine: Mapping[str, str], request: pytest.FixtureRequest) -> Iterator[Interpreter]:
    if not has_image(_IMAGE):
        request.getfixturevalue("images")
    kafka_jars()
    packages = subprocess.run([_UV, "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, **engine}
    with tempfile.TemporaryDirectory() as given:
        pack = ["tar", "--create", "--null", "--files-from", "-", "--file", f"{given}/tree.tar"]
        subprocess.run(pack, cwd=ROOT, input=_files(), check=True)
        name = f"autos-python-{Path(given).name}"
        volumes = {given: "/given:ro", str(_UV): "/usr/local/bin/uv:ro", packages: "/packages", cache_dir(): "/jars"}
        started = ["docker", "run", "--detach", "--rm", "--init", "--name", name, "--network", "host"]
        # Made where it is not there.
        started += ["--workdir", "/tree"]
        started += [word for place, there in volumes.items() for word in ("--volume", f"{place}:{there}")]
        settings = {
            "UV_CACHE_DIR": "/packages",
            "UV_LINK_MODE": "copy",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            "AUTOS_CACHE_DIR": "/jars",
        }
        started += [word for key, value in settings.items() for word in ("--env", f"{key}={value}")]
        subprocess.run([*started, _IMAGE, "sleep", "infinity"], env=environment, check=True, capture_output=True)
        try:
            found = Interpreter(name, engine)
            made = found.run("sh", "-c", _SET_UP)
            assert made.returncode == 0, made.stdout + made.stderr
            yield found
        finally:
            subprocess.run(["docker", "rm", "--force", name], env=environment, check=True, capture_output=True)


def test_the_unit_tests_pass(interpreter: Interpreter) -> None:
    assert interpreter.run("/environment/bin/python", "--version").stdout.startswith("Python 3.13.")
    said = interpreter.pytest("-n", "2", "--dist", "loadfile", "tests/unit")
    assert int(re.findall(r"(\d+) passed", said)[0]) > 3000


def test_a_case_is_delivered(interpreter: Interpreter) -> None:
    said = interpreter.pytest("tests/e2e/test_main_job.py", "-k", "a_case_is_downloaded")
    assert "1 passed" in said
