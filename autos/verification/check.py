"""One check of a folder, an archive, a document or a manifest alone: what is read, and what comes of it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autos.verification.archive import MANIFEST, Archive, is_archive
from autos.verification.comparison import Findings, FoundFile, compare_named, compare_unnamed
from autos.verification.files import read_file, read_folder, read_whole
from autos.verification.manifest import (
    ListedDocument,
    Manifest,
    Unreadable,
    is_manifest,
    read_manifest,
    shown,
    signed_in,
)
from autos.verification.signature import Signature, Trust, check_signature

_NO_MANIFEST: Final = (
    "there is no signed manifest: get one from GET /processes/{numero}/manifest.json and name it with --manifest"
)


@dataclass(frozen=True)
class Checked:
    """What came of a check. ``findings`` is None where the manifest alone was looked at."""

    path: Path
    manifest: Manifest
    signature: Signature
    findings: Findings | None

    @property
    def good(self) -> bool:
        """Whether the signature holds and every file is as signed."""
        return self.signature.holds and (self.findings is None or self.findings.clean)


def check(path: Path, trust: Trust, manifest: Path | None = None) -> Checked:
    """Check what is at ``path`` against its manifest, or against the one in the file ``manifest``.

    Raises Unreadable when it cannot be checked at all.
    """
    try:
        if path.is_dir():
            return _folder(path, trust, manifest)
        if is_archive(path):
            return _archive(path, trust, manifest)
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from None
    if manifest is None and path.suffix == ".json" and (raw := signed_in(read_whole(path))) is not None:
        return _checked(path, read_manifest(raw), trust, None)
    return _document(path, trust, manifest)


def _checked(path: Path, manifest: Manifest, trust: Trust, findings: Findings | None) -> Checked:
    return Checked(path, manifest, check_signature(manifest, trust), findings)


def _folder(folder: Path, trust: Trust, given: Path | None) -> Checked:
    source, manifest = _manifest_of(folder, given)
    index, own = _index(folder), folder / MANIFEST
    without = {MANIFEST} if own == source or index else set()
    if given is not None and given.resolve().is_relative_to(folder.resolve()):
        without.add(given.resolve().relative_to(folder.resolve()).as_posix())
    # A signed manifest of another time beside the one that counts is the product's own file too.
    if own != source and not index and own.is_file() and is_manifest(read_whole(own)):
        without.add(MANIFEST)
    return _checked(folder, manifest, trust, _compare(manifest, read_folder(folder, frozenset(without)), index))


def _manifest_of(folder: Path, given: Path | None) -> tuple[Path, Manifest]:
    """The manifest that counts, and where it stands. Raises Unreadable."""
    if given is not None:
        return given, read_manifest(read_whole(given))
    path = folder / MANIFEST
    if path.is_file() and (raw := signed_in(read_whole(path))) is not None:
        return path, read_manifest(raw)
    raise Unreadable(_NO_MANIFEST)


def _index(folder: Path) -> Mapping[str, str]:
    """The files' names by their documents' ids as ``autos fetch`` noted them; not signed, and so no proof of a name."""
    path = folder / MANIFEST
    if not path.is_file() or is_manifest(raw := read_whole(path)):
        return {}
    try:
        documents: list[dict[str, Any]] = json.loads(raw)["documents"]
        return {one["id"]: _name(one["file"]) for one in documents if one["file"] is not None}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def _archive(path: Path, trust: Trust, given: Path | None) -> Checked:
    with Archive(path) as archive:
        manifest = read_manifest(archive.manifest() if given is None else read_whole(given))
        named = {_name(one.file): {one.size or 0} for one in manifest.available if one.file is not None}
        every = frozenset(one.size or 0 for one in manifest.available) if not named else frozenset()
        return _checked(path, manifest, trust, _compare(manifest, archive.read(named, every), {}))


def _compare(manifest: Manifest, found: Mapping[str, FoundFile], index: Mapping[str, str]) -> Findings:
    available = manifest.available
    names = {one.id: _name(one.file) for one in available if one.file is not None} or index
    if not names:
        return compare_unnamed(available, found)
    left = [one for one in available if one.id not in names]
    return compare_named([(one, names[one.id]) for one in available if one.id in names], found, left)


def _name(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _document(path: Path, trust: Trust, given: Path | None) -> Checked:
    """One document of a case, against the manifest beside it."""
    if not path.exists():
        raise Unreadable("there is no such file")
    _, manifest = _manifest_of(path.parent, given)
    found = read_file(path)
    if found.sha256 is None:
        raise Unreadable(found.reason)
    same = [one for one in manifest.available if (one.sha256, one.size) == (found.sha256, found.size)]
    findings = Findings(1, good=1) if same else Findings(1, extra=[_unknown(path, manifest.available, found)])
    return _checked(path, manifest, trust, findings)


def _unknown(path: Path, documents: list[ListedDocument], found: FoundFile) -> str:
    named = next((one for one in documents if one.file is not None and _name(one.file) == _name(path.name)), None)
    if named is not None:
        return f"{shown(path.name)}: its SHA-256 is {found.sha256} instead of {named.sha256}"
    return f"{shown(path.name)}: no document of the manifest has its SHA-256, {found.sha256}"
