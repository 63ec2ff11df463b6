"""``autos verify`` as it is called: its words, its line of JSON and its exit status; and the programs of the page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autos.main import app
from tests.signed import JWKS, KEY_ID, signed_manifest, write_archive

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
NODE = shutil.which("node")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "webhook-keys.json"
    path.write_text(json.dumps(JWKS))
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_whole_archive_is_good(tmp_path: Path, keys: Path) -> None:
    archive = write_archive(tmp_path / "case.zip", [b"one", None])
    status, out, _ = run(archive, "--jwks", keys)
    assert status == 0
    assert "1 of 1 documents are as signed" in out and f"valid, by the key {KEY_ID}, which you named" in out
    assert "never fetched, as the manifest says: Petição.pdf" in out and "no_access" in out
    assert run(archive, "--key-id", KEY_ID)[0] == 0
    assert run(archive, "--key-id", "another")[0] == 1


def test_a_key_that_came_along_is_said_to_prove_nothing(tmp_path: Path) -> None:
    status, out, _ = run(write_archive(tmp_path / "case.zip", [b"one"]))
    assert status == 0 and "This alone proves nothing about who made it" in out


def test_what_differs_is_said_and_what_is_long_is_cut(tmp_path: Path, keys: Path) -> None:
    folder = tmp_path / "files"
    with zipfile.ZipFile(write_archive(tmp_path / "case.zip", [b"%d" % place for place in range(60)])) as archive:
        archive.extractall(folder)
    for path in folder.glob("*.pdf"):
        path.unlink()
    (folder / "extra").write_bytes(b"")
    status, out, _ = run(folder, "--jwks", keys)
    assert status == 1
    assert out.count("  missing: ") == 51 and "missing: 10 more" in out and "  extra: extra\n" in out
    assert "0 of 60 documents are as signed" in out
    status, out, _ = run(folder, "--json")
    told = json.loads(out)
    assert status == 1 and (told["good"], told["as_signed"], len(told["missing"])) == (False, 0, 60)
    assert (told["signature"], told["key_id"], told["extra"]) == ("embedded", KEY_ID, ["extra"])


def test_several_paths_have_the_worst_status_of_all(tmp_path: Path, keys: Path) -> None:
    manifest = tmp_path / "case.json"
    manifest.write_bytes(signed_manifest([b"one"]))
    status, out, err = run(manifest, tmp_path / "nothing", "--jwks", keys)
    assert status == 2 and "none of the 1 documents" in out and "nothing: it cannot be read" in err
    manifest.write_bytes(manifest.read_bytes().replace(b"pdpj", b"pdpk"))
    status, out, _ = run(manifest, "--json")
    assert status == 1 and json.loads(out)["signature"] == "invalid" and json.loads(out)["missing"] is None


def test_keys_that_are_none_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    for content in ("", '{"keys": []}'):
        wrong.write_text(content)
        status, _, err = run(tmp_path, "--jwks", wrong)
        assert status == 2 and str(wrong) in err
    assert run(tmp_path, "--jwks", tmp_path / "none")[0] == 2
    assert "there is no signed manifest" in run(tmp_path)[2]


def programs() -> list[list[str]]:
    python = [sys.executable, str(EXAMPLES / "verify_manifest.py")]
    return [python, *([[NODE, str(EXAMPLES / "verify_manifest.mjs")]] if NODE is not None else [])]


@pytest.mark.parametrize("program", programs(), ids=lambda program: Path(program[1]).suffix)
def test_the_programs_of_the_page_verify_with_other_libraries(program: list[str], tmp_path: Path, keys: Path) -> None:
    with zipfile.ZipFile(write_archive(tmp_path / "case.zip", ["Petição ☃ \x7f\u2028".encode(), b"two"])) as archive:
        archive.extractall(tmp_path)
    manifest = tmp_path / "manifest.json"
    command = [*program, str(manifest), str(keys), str(tmp_path)]
    good = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert good.returncode == 0 and "2 documents, signature valid" in good.stdout, good.stderr
    (tmp_path / "001 Petição.pdf").write_bytes(b"changed")
    changed = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert changed.returncode == 1 and "changed: 001 Petição.pdf" in changed.stderr
    manifest.write_bytes(manifest.read_bytes().replace(b"no_access", b"nothing").replace(b'"size": 3', b'"size": 4'))
    assert subprocess.run(command, capture_output=True, text=True, timeout=150).returncode == 1
