"""The wheel: one top-level package, the client's commands with a few packages alone, and the product inside of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import autos
from tests.signed import KEY_ID, signed_manifest
from tools.release.hatch_hooks import PRODUCT, TO_BUILD
from tools.sbom.bill import normalized, pinned_hashes

ROOT = Path(__file__).parents[3]
ALONE = """
import sys
from importlib.abc import MetaPathFinder

FOREIGN = {"confluent_kafka", "sqlalchemy", "boto3", "fastapi", "alembic", "faust", "obstore", "psycopg2", "orjson"}
FOREIGN |= {"dotenv", "psutil", "pydantic_settings", "prometheus_client", "structlog", "uvicorn", "tools"}

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in FOREIGN:
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
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=150)
    (made,) = place.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder as an installer leaves it."""
    place = wheel.parent / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command out of the wheel, where neither a checkout nor the packages of the stack can be imported."""
    command = [sys.executable, "-P", "-c", ALONE, str(installed), *arguments]
    environ = {**os.environ, "AUTOS_API_URL": "http://127.0.0.1:9", "AUTOS_API_KEY": "none"}
    return subprocess.run(command, cwd=installed.parent, env=environ, capture_output=True, text=True, timeout=150)


def test_the_wheel_installs_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"autos"}
    assert {name.split("/")[2] for name in names if name.startswith("autos/_product/")} == set(PRODUCT)
    assert "autos/_product/services/api/page/assets/index.html" in names and "autos/local/kafka.lock" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    metadata = zipfile.ZipFile(wheel).read(f"autos-{autos.__version__}.dist-info/METADATA").decode()
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    client = {line.split()[1].split(">")[0] for line in needed if "extra == 'local'" not in line}
    assert client == {"httpx", "typer", "rich", "cryptography"}


def test_the_extra_of_the_stack_is_what_the_tests_run_with(wheel: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read(f"autos-{autos.__version__}.dist-info/METADATA").decode()
    needed = re.findall(r"^Requires-Dist: ([\w.-]+)(?:\[[^]]*\])?==([^;]+);.*extra == 'local'$", metadata, re.M)
    pins = set(pinned_hashes((ROOT / "requirements" / "local.txt").read_text()))
    assert {(normalized(name), version) for name, version in needed} == {pin for pin in pins if pin[0] not in TO_BUILD}
    assert len(needed) > 80


def test_the_clients_commands_work_alone(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version").stdout == f"autos {autos.__version__}\n"
    assert run(installed, "--help").returncode == 0
    checked = run(installed, "verify", str(tmp_path / "case.json"), "--key-id", KEY_ID)
    assert checked.returncode == 2 and "cannot be read" in checked.stderr
    (tmp_path / "case.json").write_bytes(signed_manifest([b"one"]))
    assert run(installed, "verify", str(tmp_path / "case.json"), "--key-id", KEY_ID).returncode == 0
    asked = run(installed, "fetch", "1000145-91.2023.8.26.0597")
    assert asked.returncode == 1
    assert "127.0.0.1:9" in asked.stderr


@pytest.mark.parametrize("command", [["up"], ["demo"], ["topics"], ["keys", "list"], ["doctor", "--source"]])
def test_commands_that_need_more_packages_say_so(installed: Path, command: list[str]) -> None:
    refused = run(installed, *command)
    assert refused.returncode == 1
    assert "pip install 'autos[local]'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not refused.stdout, "it says so before it begins anything"
