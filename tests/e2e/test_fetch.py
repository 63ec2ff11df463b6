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
    saved = sorted(path for path in tmp_path.iterdir() if path.name != "manifest.json")
    _the_manifest_is_true(tmp_path, product, number)
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in saved} == {
        document["sha256"] for document in files(product, number)
    }

    keys = tmp_path.parent / f"{tmp_path.name}-keys.json"
    keys.write_bytes(product.client.get("/.well-known/webhook-keys.json").content)
    whole = autos(product, "verify", str(tmp_path), "--jwks", str(keys))
    assert whole.returncode == 0 and "3 of 3 documents are as signed" in whole.stdout, whole.stdout + whole.stderr
    assert "which you named" in whole.stdout and "never fetched" in whole.stdout

    gone, cut, kept = saved
    before = kept.stat().st_mtime_ns
    gone.unlink()
    cut.write_bytes(b"not all of it")
    broken = autos(product, "verify", str(tmp_path), "--jwks", str(keys))
    assert broken.returncode == 1 and "  missing: " in broken.stdout and "  changed: " in broken.stdout
    second = autos(product, "fetch", number, "--out", str(tmp_path), "--json")
    assert second.returncode == 3, second.stderr
    line = json.loads(second.stdout)
    assert (line["status"], line["saved"], line["not_saved"]) == ("partial", 3, {})
    assert [failed["error_code"] for failed in line["failed"]] == ["no_access"]
    assert sorted(path for path in tmp_path.iterdir() if path.name != "manifest.json") == saved
    _the_manifest_is_true(tmp_path, product, number)
    assert kept.stat().st_mtime_ns == before
    assert len(cut.read_bytes()) == 1000


def _the_manifest_is_true(folder: Path, product: Product, number: str) -> None:
    """manifest.json names every document of the case in its order, each with its file or the reason for none."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    listed = product.client.get(f"/processes/{number}/documents").json()["documents"]
    assert (manifest["process_number"], manifest["status"]) == (number, "partial")
    assert [one["source_id"] for one in manifest["documents"]] == [one["source_id"] for one in listed]
    assert [one["number"] for one in manifest["documents"]] == [1, 2, 3, 4]
    for one in manifest["documents"]:
        if one["file"] is None:
            assert (one["status"], one["reason"].partition(":")[0]) == ("failed", "no_access")
        else:
            content = (folder / one["file"]).read_bytes()
            assert one["file"].startswith(f"{one['number']:04d} ")
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (one["sha256"], one["size"])


def test_many_cases_come_from_a_csv_file_over_a_restart_of_the_api(
    product: Product, process_number: Callable[[], str], tmp_path: Path
) -> None:
    numbers = [process_number() for _ in range(2)]
    for number in numbers:
        product.simulator.put_case(
            number, documents=3, size=1000, failures=[Failure(kind=FailureKind.ERROR_500, times=2)]
        )
    listed = tmp_path / "cases.csv"
    # One of another check digit: it stops none of the others.
    rows = [numbers[0], "1234567-89.2023.8.02.0001", numbers[1]]
    listed.write_text("número,cliente\n" + "".join(f"{number},x\n" for number in rows), encoding="utf-8-sig")
    environ = {**os.environ, "AUTOS_DATA_DIR": str(product.data_dir)}
    command = [sys.executable, "-m", "autos.main", "fetch", "--from-csv", str(listed), "--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: product.client.get(f"/processes/{numbers[0]}/status").status_code == 200)
        old = product.kill("api")
        product.wait_for_restart("api", old)
        out, err = running.communicate(timeout=150)
    finally:
        running.kill()
    assert running.returncode == 1, out + err
    assert "1234567-89.2023.8.02.0001: refused: invalid_process_number" in out
    assert [len(list((tmp_path / "out").glob(f"*/{name}"))) for name in ("*", "manifest.json")] == [8, 2]
