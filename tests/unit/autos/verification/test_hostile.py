"""Archives, folders and manifests that somebody made to mislead or to exhaust: each is found, refused or bounded."""

from __future__ import annotations

import json
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autos.verification.archive import Archive
from autos.verification.check import check
from autos.verification.manifest import Unreadable, read_manifest
from autos.verification.signature import Trust, read_key_set
from tests.signed import JWKS, signed_manifest, write_archive

KEYS = Trust(read_key_set(json.dumps(JWKS).encode()), given=True)
FIRST = "001 Petição.pdf"
ID = "00000000-0000-0000-0000-000000000001"


def rewritten(path: Path, change: Callable[[zipfile.ZipFile], None], *, without: str = "") -> Path:
    """The same archive with something added, and perhaps without an entry."""
    with zipfile.ZipFile(path) as archive:
        held = [(entry, archive.read(entry)) for entry in archive.infolist() if entry.filename != without]
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        # zipfile warns of what is meant here: two entries of one name.
        warnings.simplefilter("ignore")
        for entry, content in held:
            archive.writestr(entry.filename, content)
        change(archive)
    return path


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "case.zip", [b"one", b"two"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.pdf", "evil"),
        ("/etc/passwd", "passwd"),
        ("a/../../b", "b"),
        ("..\\evil.pdf", "evil"),
        ("C:evil.pdf", "evil"),
        ("nul\x1b[2Jname", "name"),
        ("manifest.json/x", "x"),
    ],
)
def test_a_name_that_leads_elsewhere_is_extra_and_nothing_is_written(
    case: Path, tmp_path: Path, name: str, words: str
) -> None:
    before = set(tmp_path.rglob("*"))
    findings = check(rewritten(case, lambda archive: archive.writestr(entry(name), b"x")), KEYS).findings
    assert findings is not None and findings.good == 2
    assert len(findings.extra) == 1 and words in findings.extra[0] and findings.extra[0].isprintable()
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "\x00hidden.pdf"])
def test_an_entry_without_a_name_is_extra(case: Path, name: str) -> None:
    nameless = entry("x" * len(name))
    changed = rewritten(case, lambda archive: archive.writestr(nameless, b"x"))
    if name:
        changed.write_bytes(changed.read_bytes().replace(b"x" * len(name), name.encode()))
    findings = check(changed, KEYS).findings
    assert findings is not None and findings.good == 2 and len(findings.extra) == 1


def test_two_entries_of_one_name_are_both_refused(case: Path) -> None:
    for content in (b"one", b"other"):
        twice = rewritten(case, lambda archive, content=content: archive.writestr(FIRST, content))  # type: ignore[misc]
        findings = check(twice, KEYS).findings
        assert findings is not None and "entries have this name" in findings.changed[0]
    with pytest.raises(Unreadable, match=r"2 manifest\.json"):
        check(rewritten(case, lambda archive: archive.writestr("manifest.json", b"{}")), KEYS)


def test_a_link_under_a_documents_name_is_changed(case: Path) -> None:
    link = entry(FIRST, stat.S_IFLNK | 0o777)
    findings = check(rewritten(case, lambda archive: archive.writestr(link, b"one"), without=FIRST), KEYS).findings
    assert findings is not None and findings.changed == [f"{FIRST} ({ID}): it is a link"]


def test_a_bomb_is_not_inflated(case: Path) -> None:
    large = zipfile.ZipInfo(FIRST)
    large.compress_type = zipfile.ZIP_DEFLATED
    made = rewritten(case, lambda archive: archive.writestr(large, bytes(50_000_000)), without=FIRST)
    tracemalloc.start()
    try:
        findings = check(made, KEYS).findings
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert findings is not None and "50,000,000 bytes instead of 3" in findings.changed[0]
    assert peak < 5_000_000


def test_more_bytes_than_an_archive_can_hold_are_refused(case: Path) -> None:
    """A manifest that its maker signed himself may name any size; the archive has to be able to hold it."""
    raw = case.read_bytes()
    # The first document's size in the directory; before the documents stand none.
    at = raw.index(struct.pack("<LH", 3, len(FIRST.encode())))
    case.write_bytes(raw[:at] + struct.pack("<L", 2**31) + raw[at + 4 :])
    with Archive(case) as opened, pytest.raises(Unreadable, match="more than its"):
        opened.read({FIRST: {2**31}})


def test_what_the_end_of_an_archive_says_of_its_directory_is_not_believed(case: Path) -> None:
    raw = case.read_bytes()
    end = raw.rfind(b"PK\x05\x06")
    for length in (2**32 - 2, len(raw) + 1):
        case.write_bytes(raw[: end + 12] + struct.pack("<L", length) + raw[end + 16 :])
        with pytest.raises(Unreadable):
            check(case, KEYS)


def placed_beyond(path: Path, name: str) -> Path:
    """The same archive, whose directory says that an entry begins at byte 2**64 - 1 (APPNOTE.TXT, section 4.5.3)."""
    raw = bytearray(path.read_bytes())
    at = raw.rindex(name.encode())
    own = at - 46
    end = raw.rindex(b"PK\x05\x06")
    place = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    struct.pack_into("<H", raw, own + 30, len(place))
    struct.pack_into("<L", raw, own + 42, 2**32 - 1)
    struct.pack_into("<L", raw, end + 12, struct.unpack_from("<L", raw, end + 12)[0] + len(place))
    raw[at + len(name.encode()) : at + len(name.encode())] = place
    path.write_bytes(raw)
    return path


def named_in_no_text(path: Path, name: str) -> Path:
    """The same archive, in which the name before an entry's bytes is no UTF-8."""
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(name).header_offset + 30
    raw = path.read_bytes()
    path.write_bytes(raw[:at] + b"\xff" * len(name.encode()) + raw[at + len(name.encode()) :])
    return path


@pytest.mark.parametrize("broken", [placed_beyond, named_in_no_text])
def test_an_entry_that_cannot_be_read_is_changed(case: Path, broken: Callable[[Path, str], Path]) -> None:
    findings = check(broken(case, FIRST), KEYS).findings
    assert findings is not None and findings.good == 1
    assert findings.changed[0].startswith(f"{FIRST} ({ID}): it cannot be read whole: ")


def test_a_manifest_that_cannot_be_read_is_refused(case: Path) -> None:
    with pytest.raises(Unreadable, match=r"manifest\.json in the archive cannot be read"):
        check(placed_beyond(case, "manifest.json"), KEYS)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(5000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        check(path, KEYS)


def test_links_and_pipes_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    with zipfile.ZipFile(write_archive(tmp_path / "case.zip", [b"one", b"two"])) as archive:
        archive.extractall(folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (folder / FIRST).unlink()
    os.link(folder / "002 Petição.pdf", outside / "two")
    (folder / FIRST).symlink_to(outside / "one")
    (folder / "more").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    findings = check(folder, KEYS).findings
    assert findings is not None and findings.good == 1
    assert findings.changed == [f"{FIRST} ({ID}): it is no regular file"]
    assert findings.extra == ["more", "pipe"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"\xff",
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": "autos-manifest/2", "documents": []}',
        b'{"format": "autos-manifest/1"}',
        b'{"format": "autos-manifest/1", "documents": [7]}',
        b'{"format": "autos-manifest/1", "documents": [{"id": "a", "sha256": "xyz", "size": 1}]}',
        b'{"format": "autos-manifest/1", "documents": [{"id": "a", "sha256": null, "size": 1}]}',
        b'{"format": "autos-manifest/1", "documents": [], "documents": []}',
        b'{"format": "autos-manifest/1", "documents": [], "x": 1.5}',
        b'{"format": "autos-manifest/1", "documents": [], "x": NaN}',
        b'{"format": "autos-manifest/1", "documents": [], "x": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_manifest_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="manifest"):
        read_manifest(raw)


def test_a_text_that_has_no_canonical_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    manifest = json.loads(signed_manifest([b"one"]))
    path.write_text(json.dumps({**manifest, "made_by": "\ud800"}))
    with pytest.raises(Unreadable, match="canonical"):
        check(path, KEYS)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}', b'{"keys": 7}'])
def test_what_is_no_key_set_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_key_set(raw)
