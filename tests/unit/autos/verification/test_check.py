"""Any changed byte, any swapped, missing or extra file is found, in a folder and in an archive."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autos.verification.check import check
from autos.verification.manifest import Unreadable
from autos.verification.signature import Trust, Verdict, read_key_set
from shared.webhooks.manifest_signatures import ManifestSigner
from tests.signed import JWKS, KEY_ID, OTHER_KEY, SIGNER, signed_manifest, write_archive

KEYS = Trust(read_key_set(json.dumps(JWKS).encode()), given=True)

_contents = st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=6)
_few = settings(max_examples=25, deadline=None)


def unpacked(folder: Path, contents: list[bytes]) -> list[Path]:
    """A folder of an unpacked archive; its documents in their order."""
    archive = write_archive(folder / "made.zip", list(contents))
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    archive.unlink()
    return sorted(path for path in folder.iterdir() if path.name != "manifest.json")


def fetched(folder: Path, contents: list[bytes]) -> list[Path]:
    """A folder of ``autos fetch``: files by names of the client's own, its list of them with the signed manifest."""
    raw = signed_manifest(contents)
    paths = []
    listed = []
    for place, (document, content) in enumerate(zip(json.loads(raw)["documents"], contents, strict=True), 1):
        paths.append(folder / f"{place:04d} Petição {document['id'][-8:]}.pdf")
        paths[-1].write_bytes(content)
        listed.append({"id": document["id"], "file": paths[-1].name})
    noted = {"process_number": "x", "documents": listed, "signed": json.loads(raw)}
    (folder / "manifest.json").write_text(json.dumps(noted, indent=2, ensure_ascii=False))
    return paths


Made = Callable[[Path, list[bytes]], list[Path]]
FOLDERS = pytest.mark.parametrize("make", [unpacked, fetched])


@FOLDERS
def test_a_whole_folder_is_good(make: Made, tmp_path: Path) -> None:
    make(tmp_path, [b"one", b"two", b"two"])
    checked = check(tmp_path, KEYS)
    assert checked.good and checked.signature.verdict is Verdict.TRUSTED
    assert checked.findings is not None and checked.findings.good == 3


@FOLDERS
@_few
@given(contents=_contents, data=st.data())
def test_any_changed_byte_is_found(make: Made, contents: list[bytes], data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        paths = make(Path(place), contents)
        victim = data.draw(st.sampled_from(paths))
        content = bytearray(victim.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        victim.write_bytes(content)
        checked = check(Path(place), KEYS)
        assert not checked.good and checked.findings is not None
        assert (len(checked.findings.changed), checked.findings.missing, checked.findings.extra) == (1, [], [])


@FOLDERS
@_few
@given(contents=_contents, data=st.data())
def test_any_missing_extra_cut_or_grown_file_is_found(make: Made, contents: list[bytes], data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        victim = data.draw(st.sampled_from(make(Path(place), contents)))
        what = data.draw(st.sampled_from(["missing", "extra", "cut", "grown", "moved"]))
        if what == "missing":
            victim.unlink()
        elif what == "extra":
            shutil.copy(victim, victim.with_name(data.draw(st.sampled_from(["copy.pdf", ".hidden", "a b"]))))
        elif what == "cut":
            victim.write_bytes(victim.read_bytes()[:-1])
        elif what == "grown":
            victim.write_bytes(victim.read_bytes() + b"\0")
        else:
            (Path(place) / "below").mkdir()
            victim.rename(Path(place) / "below" / victim.name)
        findings = check(Path(place), KEYS).findings
        assert findings is not None and not findings.clean
        assert findings.good == len(contents) - (what != "extra")
        assert {"missing": findings.missing, "extra": findings.extra}.get(what, findings.changed)


@FOLDERS
@_few
@given(contents=_contents, data=st.data())
def test_two_swapped_files_are_found(make: Made, contents: list[bytes], data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        paths = make(Path(place), contents)
        one, other = data.draw(st.lists(st.sampled_from(paths), min_size=2, max_size=2, unique=True))
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        findings = check(Path(place), KEYS).findings
        assert findings is not None and findings.clean is (first == second)
        assert all("it has the bytes of" in found for found in findings.changed)


@_few
@given(contents=_contents, data=st.data())
def test_no_changed_byte_of_an_archive_lets_another_document_pass(contents: list[bytes], data: st.DataObject) -> None:
    """A byte of a ZIP that is none of a name or a document (a file's time, say) may be another one."""
    with TemporaryDirectory() as place:
        path = write_archive(Path(place) / "case.zip", list(contents))
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            good = check(path, KEYS).good
        except Unreadable:
            return
        if good:
            with zipfile.ZipFile(path) as archive:
                held = {entry.filename: archive.read(entry) for entry in archive.infolist()}
            del held["manifest.json"]
            assert list(held.values()) == contents


@_few
@given(contents=_contents, data=st.data())
def test_any_changed_byte_of_a_manifest_is_found(contents: list[bytes], data: st.DataObject) -> None:
    raw = bytearray(signed_manifest(contents))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with TemporaryDirectory() as place:
        path = Path(place) / "case.json"
        path.write_bytes(raw)
        try:
            good = check(path, KEYS).good
        except Unreadable:
            return
        # JSON can say one thing in two ways: a character and its escape.
        assert not good or json.loads(raw) == json.loads(signed_manifest(contents))


def test_a_manifest_without_names_is_compared_by_bytes_alone(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(signed_manifest([b"one", b"two", b"two"]))
    for name, content in (("a", b"two"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    assert check(tmp_path, KEYS).good
    (tmp_path / "c").write_bytes(b"three")
    findings = check(tmp_path, KEYS).findings
    assert findings is not None and findings.good == 2
    assert len(findings.missing) == 1 and findings.extra == ["c: no document of the manifest has these bytes"]


def test_a_manifest_elsewhere_is_named(tmp_path: Path) -> None:
    proof, folder = tmp_path / "proof.json", tmp_path / "files"
    proof.write_bytes(signed_manifest([b"one", b"two"]))
    folder.mkdir()
    for name, content in (("a.pdf", b"one"), ("b.pdf", b"two")):
        (folder / name).write_bytes(content)
    with pytest.raises(Unreadable, match="no signed manifest"):
        check(folder, KEYS)
    assert check(folder, KEYS, proof).good
    assert check(folder / "a.pdf", KEYS, proof).good
    archive = write_archive(tmp_path / "case.zip", [b"one", b"two"])
    assert check(archive, KEYS, proof).good
    assert not check(write_archive(archive, [b"one", b"other"]), KEYS, proof).good
    # In the folder under any name it is no document.
    assert check(folder, KEYS, Path(shutil.copy(proof, folder / "signed.json"))).good


def test_one_document_is_found_in_the_manifest_beside_it(tmp_path: Path) -> None:
    first, second = unpacked(tmp_path, [b"one", b"two"])
    assert check(first, KEYS).good
    second.write_bytes(b"changed")
    checked = check(second, KEYS)
    assert checked.findings is not None and "instead of" in checked.findings.extra[0]


def test_a_manifest_alone_is_checked_for_its_signature(tmp_path: Path) -> None:
    path = tmp_path / "0001.json"
    path.write_bytes(signed_manifest([b"one", None]))
    checked = check(path, KEYS)
    assert checked.good and checked.findings is None
    assert [document.reason for document in checked.manifest.not_fetched] == ["no_access: the account has no access"]


@pytest.mark.parametrize(
    ("trust", "verdict"),
    [
        (Trust(), Verdict.EMBEDDED),
        (KEYS, Verdict.TRUSTED),
        (Trust(key_ids=frozenset({KEY_ID}), given=True), Verdict.TRUSTED),
        (Trust(key_ids=frozenset({"another"}), given=True), Verdict.UNKNOWN_KEY),
        (Trust(given=True), Verdict.UNKNOWN_KEY),
    ],
)
def test_a_signature_is_worth_what_its_key_is(trust: Trust, verdict: Verdict, tmp_path: Path) -> None:
    checked = check(write_archive(tmp_path / "case.zip", [b"one"]), trust)
    assert checked.signature.verdict is verdict
    assert checked.good is (verdict is not Verdict.UNKNOWN_KEY)
    assert ("proves nothing" in checked.signature.words) is (verdict is Verdict.EMBEDDED)


def test_a_forger_with_a_key_of_his_own_passes_only_without_a_named_key(tmp_path: Path) -> None:
    forged = write_archive(tmp_path / "case.zip", [b"forged"], ManifestSigner([OTHER_KEY]))
    assert check(forged, Trust()).signature.verdict is Verdict.EMBEDDED
    assert not check(forged, KEYS).good


@pytest.mark.parametrize("key_id", [KEY_ID, None, "x"])
def test_an_unsigned_manifest_is_not_good(key_id: str | None, tmp_path: Path) -> None:
    manifest = {**json.loads(signed_manifest([b"one"])), "key_id": key_id}
    signatures: list[object] = [None, "", "..", "a..b", 7, [], SIGNER.sign(b"something else")]
    for signature in signatures:
        path = tmp_path / "case.json"
        path.write_text(json.dumps({**manifest, "signature": signature}))
        checked = check(path, Trust())
        assert not checked.good
        assert checked.signature.verdict is (Verdict.UNSIGNED if signature is None else Verdict.INVALID)
