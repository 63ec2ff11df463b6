"""The wheel: the client's commands, with httpx, typer, rich and cryptography alone, and no other top-level package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import autos

ROOT = Path(__file__).parents[3]
ALONE = """
import sys
from importlib.abc import MetaPathFinder

OURS = {"shared", "services", "sources", "ops", "tools"}
FOREIGN = {"confluent_kafka", "sqlalchemy", "boto3", "fastapi", "alembic", "faust", "obstore", "psycopg2", "orjson"}

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in OURS | FOREIGN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Absent())
sys.path.insert(0, sys.argv.pop(1))
from autos.main import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (made,) = place.glob("*.whl")
    return made


def run(wheel: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command out of the wheel, where nothing of a checkout can be imported."""
    command = [sys.executable, "-P", "-c", ALONE, str(wheel), *arguments]
    environ = {**os.environ, "AUTOS_API_URL": "http://127.0.0.1:9", "AUTOS_API_KEY": "none"}
    return subprocess.run(command, cwd=wheel.parent, env=environ, capture_output=True, text=True, timeout=60)


def test_the_wheel_installs_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"autos"}
    assert not [name for name in names if name.startswith("autos/local/")]
    metadata = zipfile.ZipFile(wheel).read(f"autos-{autos.__version__}.dist-info/METADATA").decode()
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert {line.split()[1].split(">")[0] for line in needed} == {"httpx", "typer", "rich", "cryptography"}


def test_the_clients_commands_work_alone(wheel: Path) -> None:
    assert run(wheel, "--version").stdout == f"autos {autos.__version__}\n"
    assert run(wheel, "--help").returncode == 0
    asked = run(wheel, "fetch", "1000145-91.2023.8.26.0597")
    assert asked.returncode == 1
    assert "127.0.0.1:9" in asked.stderr


@pytest.mark.parametrize("command", [["up"], ["demo"], ["topics"], ["keys", "list"], ["doctor", "--source"]])
def test_commands_of_a_checkout_say_so(wheel: Path, command: list[str]) -> None:
    refused = run(wheel, *command)
    assert refused.returncode == 1
    assert "needs a checkout" in refused.stderr
    assert "Traceback" not in refused.stderr
