"""``autos fetch`` on the running product: resumes, says what failed, and goes on over a restart of the API."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from autos.local.pdpj.control import Failure, FailureKind
from tests.e2e.journey import autos, files
from tests.product import Product
from tests.support import wait_until


def test_a_fetch_resumes_and_says_what_failed(
    product: Product, process_number: Callable[[], str], tmp_path: Path
) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=4, size=1000, failures=[Failure(kind=FailureKind.NO_ACCESS_403, document=1)]
    )
    first = autos(product, "fetch", number, "--out", str(tmp_path))
    assert first.returncode == 3, first.stderr
    assert "no_access" in first.stdout
    saved = sorted(tmp_path.iterdir())
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in saved} == {
        document["sha256"] for document in files(product, number)
    }

    gone, cut, kept = saved
    before = kept.stat().st_mtime_ns
    gone.unlink()
    cut.write_bytes(b"not all of it")
    second = autos(product, "fetch", number, "--out", str(tmp_path), "--json")
    assert second.returncode == 3, second.stderr
    line = json.loads(second.stdout)
    assert (line["status"], line["saved"], line["not_saved"]) == ("partial", 3, {})
    assert [failed["error_code"] for failed in line["failed"]] == ["no_access"]
    assert sorted(tmp_path.iterdir()) == saved
    assert kept.stat().st_mtime_ns == before
    assert len(cut.read_bytes()) == 1000


def test_many_cases_come_from_a_csv_file_over_a_restart_of_the_api(
    product: Product, process_number: Callable[[], str], tmp_path: Path
) -> None:
    numbers = [process_number() for _ in range(2)]
    for number in numbers:
        product.simulator.put_case(
            number, documents=3, size=1000, failures=[Failure(kind=FailureKind.ERROR_500, times=2)]
        )
    listed = tmp_path / "cases.csv"
    listed.write_text("número,cliente\n" + "".join(f"{number},x\n" for number in numbers), encoding="utf-8-sig")
    environ = {**os.environ, "AUTOS_DATA_DIR": str(product.data_dir)}
    command = [sys.executable, "-m", "autos.main", "fetch", "--from-csv", str(listed), "--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: product.client.get(f"/processes/{numbers[0]}/status").status_code == 200, timeout=20)
        old = product.kill("api")
        product.wait_for_restart("api", old)
        out, err = running.communicate(timeout=90)
    finally:
        running.kill()
    assert running.returncode == 0, out + err
    assert len(list((tmp_path / "out").glob("*/*"))) == 6
