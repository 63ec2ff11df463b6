"""The folder of ``autos fetch``: what is there with the right SHA-256 is kept, under the number that it has now."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from autos.saving import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "0002 Petição 1a2b3c4d.pdf").write_bytes(b"petition")
    (tmp_path / "0003 Certidão 5e6f7a8b.pdf").write_bytes(b"certificate")
    # Nothing is asked of the API: everything is here.
    return Folder(httpx.Client(base_url="http://127.0.0.1:9"), "1000145-91.2023.8.26.0597", tmp_path, 0.0)


def document(beginning: str, position: int, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {
        "id": f"{beginning}-0000-4000-8000-000000000000",
        "position": position,
        "size": len(content),
        "sha256": digest,
    }


def test_a_file_moves_to_the_number_that_its_document_has_now(folder: Folder) -> None:
    petition, certificate = document("1a2b3c4d", 2, b"petition"), document("5e6f7a8b", 4, b"certificate")
    folder.save(petition)
    folder.save(certificate)
    assert folder.saved == {
        petition["id"]: "0002 Petição 1a2b3c4d.pdf",
        certificate["id"]: "0004 Certidão 5e6f7a8b.pdf",
    }
    assert (folder.kept, folder.lost) == (2, {})
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(folder.saved.values())


def test_a_file_of_another_name_is_kept_as_it_is(folder: Folder) -> None:
    mine = folder.path / "my notes 9c9c9c9c.txt"
    mine.write_bytes(b"notes")
    again = Folder(folder.client, folder.number, folder.path, 0.0)
    again.save(document("9c9c9c9c", 7, b"notes"))
    assert list(again.saved.values()) == [mine.name]


def test_the_manifest_replaces_the_one_of_before(folder: Folder) -> None:
    for nth in range(2):
        folder.write_manifest({"nth": nth, "name": "Petição"})
    assert json.loads((folder.path / "manifest.json").read_text(encoding="utf-8")) == {"nth": 1, "name": "Petição"}
    assert not list(folder.path.glob("*.part"))
