"""Write build/sbom/autos-TARGET.cdx.json of each image, valid by the schema of CycloneDX."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.sbom.bill import as_json, bill_of, pinned_hashes
from tools.sbom.contents import read_image

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "build" / "sbom"
TARGETS: Final = ("api", "downloader", "status", "notifier", "ops", "provision", "demo")
_REQUIREMENTS: Final = {"provision": "ops"}


def write_bill(target: str, tag: str, folder: Path = FOLDER) -> Path:
    """Look into the image ``autos-TARGET:TAG`` and write its bill; the path.

    Raises CalledProcessError where the engine has no such image, KeyError where the image holds a package of Python
    that is not pinned, ValueError where the bill does not obey the schema.
    """
    pins = ROOT / "requirements" / "images" / f"{_REQUIREMENTS.get(target, target)}.txt"
    text = as_json(bill_of(read_image(f"autos-{target}:{tag}"), pinned_hashes(pins.read_text())))
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise ValueError(f"the bill of autos-{target} does not obey CycloneDX 1.6: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"autos-{target}.cdx.json"
    path.write_text(f"{text}\n")
    return path


def main(arguments: Sequence[str]) -> int:
    """Write the bills of the targets named, or of all; AUTOS_VERSION is the tag of their images (default: local)."""
    for target in arguments or TARGETS:
        try:
            path = write_bill(target, os.environ.get("AUTOS_VERSION", "local"))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"autos-{target} cannot be looked into: {error.stderr.strip()}\n")
            return 1
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0
