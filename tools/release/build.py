"""The files of a release: wheel and source archive (twice, to see that they come out the same), bill, sums, notes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Final

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType

from tools.release.hatch_hooks import TO_BUILD
from tools.sbom.bill import as_json, pinned_hashes, python_component
from tools.sbom.contents import PythonPackage

_SECONDS: Final = 300


class NotReproducible(Exception):
    """Raised when two builds of one commit differ."""


def build_packages(root: Path, folder: Path, epoch: str) -> list[Path]:
    """Wheel and source archive in ``folder``, with ``epoch`` (seconds) as the time of every file in them.

    Raises NotReproducible, and CalledProcessError with what the builder said.
    """
    with tempfile.TemporaryDirectory() as other:
        for place in (folder, Path(other)):
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(place)]
            environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
            subprocess.run(command, cwd=root, env=environ, check=True, capture_output=True, text=True, timeout=_SECONDS)
        made = sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])
        for path in made:
            if path.read_bytes() != (Path(other) / path.name).read_bytes():
                raise NotReproducible(f"{path.name} is another one when it is built again")
    return made


def write_bill(root: Path, version: str, folder: Path) -> Path:
    """The CycloneDX bill of what `pip install 'autos[local]'` brings, with the hashes that are pinned."""
    hashes = pinned_hashes((root / "requirements" / "local.txt").read_text())
    package = Component(name="autos", version=version, type=ComponentType.APPLICATION, bom_ref=f"autos@{version}")
    wanted = [PythonPackage(name, said, None) for name, said in hashes if name not in TO_BUILD]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"autos {version}"),
        metadata=BomMetaData(component=package),
        components=[python_component(one, hashes) for one in wanted],
    )
    bom.register_dependency(package, bom.components)
    path = folder / f"autos-{version}.cdx.json"
    path.write_text(f"{as_json(bom)}\n")
    return path


def write_sums(folder: Path) -> Path:
    """SHA256SUMS of every file of the release, as ``sha256sum --check`` reads it."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    path = folder / "SHA256SUMS"
    path.write_text("".join(lines))
    return path
