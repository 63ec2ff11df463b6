"""``autos up``, ``down``, ``ps`` and ``demo`` as a developer uses them; each test starts a stack of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.domain.cnj import ProcessNumber
from tests.product import NAMES, SETTINGS, connected, is_ready, running_product
from tests.support import processes_of, wait_until

ROOT = Path(__file__).parents[3]


def autos(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autos.main", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=cwd,
        env={**os.environ, **SETTINGS, **(environ or {})},
    )


@contextmanager
def detached(data_dir: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """A detached stack; yields what ``autos up`` printed."""
    started = autos("up", "--detach", "--data-dir", str(data_dir), *arguments, environ=environ)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield started.stdout
    finally:
        autos("down", "--data-dir", str(data_dir))


@pytest.mark.timeout(360)
def test_a_detached_stack_runs_until_down_and_the_next_one_has_its_data(
    tmp_path: Path, process_number: Callable[[], ProcessNumber]
) -> None:
    data_dir = tmp_path / "data"
    number = process_number()
    with detached(data_dir, "--scale", "downloader=2", "--scale", "api=2") as printed:
        stack = json.loads((data_dir / "stack.json").read_text())
        names = NAMES | {"downloader.2", "api.2"}
        assert set(stack["processes"]) == names
        assert stack["api_url"] in printed
        assert stack["api_key"] in printed
        for log in (data_dir / "logs").iterdir():
            assert stat.S_IMODE(log.stat().st_mode) == 0o600, log
            assert stack["api_key"] not in log.read_text(errors="replace"), log
        listed = autos("ps", "--data-dir", str(data_dir))
        assert listed.returncode == 0
        assert all(re.search(rf"^\s+{re.escape(name)}\s+\d+\s+running", listed.stdout, re.MULTILINE) for name in names)
        again = autos("up", "--detach", "--data-dir", str(data_dir))
        assert again.returncode == 1
        assert "running already" in again.stderr
        checked = autos("doctor", environ={"AUTOS_DATA_DIR": str(data_dir)})
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with connected(data_dir, stack) as product:
            assert product.api_urls[0] == product.api_url
            assert [is_ready(url) for url in product.api_urls] == [True, True]
            product.simulator.put_case(number, documents=4, size=2_000)
            product.client.get(f"/processes/{number}").raise_for_status()
            before = product.wait_for_end(number)
        stopped = autos("down", "--data-dir", str(data_dir))
        assert stopped.stdout.strip() == "stopped"
    assert not processes_of(tmp_path)
    assert not (data_dir / "stack.json").exists()
    assert autos("ps", "--data-dir", str(data_dir)).returncode == 1
    with running_product(data_dir) as product:
        assert product.api_key == stack["api_key"]
        assert product.status(number)["job_id"] == before["job_id"]
        files = product.client.get(f"/processes/{number}/files").json()["documents"]
        assert len(files) == 4
        for document in files:
            assert httpx.get(document["download_url"]).status_code == 200
    assert not processes_of(tmp_path)
    assert not (data_dir / "stack.json").exists()


def test_a_wrong_setting_ends_the_start_with_its_name_and_the_log(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    failed = autos("up", "--detach", "--data-dir", str(data_dir), environ={"AUTOS_RATE_LIMIT_BULK": "lots"})
    assert failed.returncode == 1
    assert "api ended with status 2" in failed.stderr
    assert "AUTOS_RATE_LIMIT_BULK" in failed.stderr
    assert str(data_dir / "logs" / "api.log") in failed.stderr
    assert not processes_of(tmp_path)


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    arguments = [sys.executable, "-m", "autos.main", "up", "--data-dir", str(data_dir)]
    with (tmp_path / "out").open("wb") as out, subprocess.Popen(arguments, stdout=out, stderr=out) as process:
        try:
            # In the middle of the start, as an impatient developer does.
            wait_until((data_dir / "supervisor.json").exists)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            if process.poll() is None:
                process.kill()
    # What the start had begun is told to end with the stack, and needs a moment for it.
    wait_until(lambda: not processes_of(tmp_path / "data"), what="the end of what was begun")


def installed_from_the_wheel(place: Path) -> Path:
    """An environment of its own with the wheel and nothing of the checkout; the command in it.

    The packages that the wheel needs are those of the tests' environment: its editable install of the checkout is not
    found by way of a .pth file.
    """
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=150)
    [wheel] = place.glob("*.whl")
    environment = place / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib"))
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--compile-bytecode"]
    subprocess.run([*command, "--python", str(environment), str(wheel)], check=True, capture_output=True, timeout=150)
    return environment / "bin" / "autos"


def test_the_demo_of_the_wheel_delivers_a_case_and_leaves_nothing(tmp_path: Path) -> None:
    command = installed_from_the_wheel(tmp_path / "wheel")
    # What is called like a part of the product in the current folder is none.
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "services.py").write_text("raise SystemExit('this is not the product')")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOS_", "PYTHON"))}
    environ |= {**SETTINGS, "AUTOS_DATA_DIR": str(tmp_path / "data")}
    # Where the programs are that come with packages, as weed does.
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    for name in {"AUTOS_CACHE_DIR", "AUTOS_MAVEN_MIRROR"} & set(os.environ):
        environ[name] = os.environ[name]
    done = subprocess.run([command, "demo"], cwd=empty, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 of 12 documents" in done.stdout and "as meant" in done.stdout
    assert re.search(r"text only .*its text was fetched", done.stdout)
    assert re.search(r"failed .*has no access.*\(no_access\)", done.stdout)
    assert re.search(r"\.p7s .*signature", done.stdout) and "application/pkcs7-signature" in done.stdout
    assert "signature  verified" in done.stdout
    assert re.search(r"SHA-256 [0-9a-f]{64}", done.stdout)
    assert "`autos up` keeps a stack running" in done.stdout
    assert list((tmp_path / "data").iterdir()) == []
    assert not processes_of(tmp_path)
