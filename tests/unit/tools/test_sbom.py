"""The bill of an image: valid by the schema of CycloneDX, with a package URL and pinned hashes for each package."""

from __future__ import annotations

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.sbom.bill import as_json, bill_of, normalized, pinned_hashes
from tools.sbom.contents import DebianPackage, ImageContents, PythonPackage
from tools.sbom.write import ROOT, TARGETS

REQUIREMENTS = f"""\
faust-streaming==0.15.3 ; python_version >= '3.11' \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
uvicorn[standard]==0.54.0 \\
    --hash=sha256:{"c" * 64}
"""
CONTENTS = ImageContents(
    image="autos-status",
    image_id=f"sha256:{'d' * 64}",
    version="0.2.0",
    revision="e" * 40,
    interpreter="3.13.5",
    distro="debian-13",
    python=(PythonPackage("Faust_Streaming", "0.15.3", "BSD-3-Clause"), PythonPackage("uvicorn", "0.54.0", None)),
    debian=(DebianPackage("libssl3t64", "3.5.9-1~deb13u1", "amd64"),),
)


def test_the_bill_obeys_the_schema_and_names_every_package() -> None:
    text = as_json(bill_of(CONTENTS, pinned_hashes(REQUIREMENTS)))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "autos-status"
    assert bill["metadata"]["component"]["version"] == "0.2.0"
    assert {"name": "autos:revision", "value": "e" * 40} in bill["metadata"]["component"]["properties"]
    components = {component["purl"]: component for component in bill["components"]}
    assert set(components) == {
        "pkg:generic/cpython@3.13.5",
        "pkg:pypi/faust-streaming@0.15.3",
        "pkg:pypi/uvicorn@0.54.0",
        "pkg:deb/debian/libssl3t64@3.5.9-1~deb13u1?arch=amd64&distro=debian-13",
    }
    faust = components["pkg:pypi/faust-streaming@0.15.3"]
    assert [one["content"] for one in faust["externalReferences"][0]["hashes"]] == ["a" * 64, "b" * 64]
    assert faust["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]


def test_a_package_that_nothing_pins_is_refused() -> None:
    with pytest.raises(KeyError, match="uvicorn"):
        bill_of(CONTENTS, pinned_hashes(REQUIREMENTS.replace("uvicorn", "other")))


def test_names_are_compared_as_pypi_does() -> None:
    assert normalized("Typing_Extensions") == normalized("typing.extensions") == "typing-extensions"


def test_every_package_of_every_image_has_a_pinned_hash() -> None:
    for target in TARGETS:
        path = ROOT / "requirements" / "images" / f"{target}.txt"
        if target != "provision":
            pins = pinned_hashes(path.read_text())
            assert len(pins) > 10
            assert all(pins.values()), target
