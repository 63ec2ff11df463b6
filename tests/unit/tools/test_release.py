"""What stands in the way of a release is said, all of it; the files of one are the same whenever they are made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import autos
from tools.release.build import write_bill, write_sums
from tools.release.checks import changelog_faults, section, version_faults, versions_said
from tools.release.hatch_hooks import pinned

ROOT = Path(__file__).parents[3]
CHANGELOG = """# Changelog

## Unreleased

## 1.2.3 (2026-11-29)

- One thing.
  - A part of it.

### For operators

- Another.

## 1.2.2 (2026-01-01)

- Old.
"""


def test_every_place_says_the_same_version() -> None:
    said = versions_said(ROOT)
    assert version_faults(autos.__version__, said) == []
    faults = version_faults("9.9.9", said)
    assert len(faults) == len(said) and all("not 9.9.9" in fault for fault in faults)
    assert version_faults("9.9.9", {"a": {"9.9.9", "1.0.0"}, "b": set()}) == [
        "a says 1.0.0, 9.9.9, not 9.9.9",
        "b says no version, not 9.9.9",
    ]


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc1", "1.2.3 "])
def test_what_is_no_version_is_refused(version: str) -> None:
    assert version_faults(version, {"a": {version}}) == [f"{version!r} is no version: write VERSION=x.y.z"]


def test_a_section_ends_at_the_next_of_its_kind() -> None:
    found = section(CHANGELOG, "1.2.3")
    assert found is not None and found.startswith("- One thing.") and found.endswith("- Another.")
    assert section(CHANGELOG, "1.2.2") == "- Old."
    assert (section(CHANGELOG, "Unreleased"), section(CHANGELOG, "1.2")) == ("", None)


def test_a_changelog_has_the_version_with_its_date_and_nothing_unreleased() -> None:
    assert changelog_faults(CHANGELOG, "1.2.3") == []
    left = CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- New.\n  More of it.\n- Newer.\n")
    assert ["2 entries below Unreleased" in fault for fault in changelog_faults(left, "1.2.3")] == [True]
    assert "nothing below '## 2.0.0" in changelog_faults(CHANGELOG, "2.0.0")[0]
    assert "has no date" in changelog_faults(CHANGELOG.replace(" (2026-11-29)", ""), "1.2.3")[0]


def test_pins_are_read_with_their_markers_and_without_their_hashes() -> None:
    lock = "a-b==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nhatchling==1 \\\n    --hash=sha256:22\n"
    lock += "c[d]==2.0 ; sys_platform != 'win32' \\\n    --hash=sha256:33\n"
    assert pinned(lock) == ["a-b==1.0", "c[d]==2.0 ; sys_platform != 'win32'"]


def test_the_bill_of_the_wheel_is_valid_and_has_every_package(tmp_path: Path) -> None:
    path = write_bill(ROOT, "1.2.3", tmp_path)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text()) is None
    bill = json.loads(path.read_text())
    names = {component["name"] for component in bill["components"]}
    assert names == {pin.partition("==")[0].partition("[")[0] for pin in pinned(_lock())}
    assert bill["metadata"]["component"]["version"] == "1.2.3"


def _lock() -> str:
    return (ROOT / "requirements" / "local.txt").read_text()


def test_the_sums_are_those_that_sha256sum_reads(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "a").write_bytes(b"one")
    for _ in range(2):
        sums = write_sums(tmp_path)
    assert sums.read_text() == "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a", b"one"), ("b", b"two"))
    )
