"""The bill of each built image names what is in it, and nothing in it came by another way than its pinned packages."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from autos import __version__
from tools.sbom.write import TARGETS, write_bill

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("target", TARGETS)
def test_the_bill_of_an_image_is_valid_and_whole(
    target: str, images: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in images.items():
        monkeypatch.setenv(name, value)
    bill = json.loads(write_bill(target, os.environ.get("AUTOS_VERSION", "local"), tmp_path).read_text())
    assert bill["metadata"]["component"]["version"] == __version__
    urls = [component["purl"] for component in bill["components"]]
    assert sum(url.startswith("pkg:pypi/sqlalchemy@") for url in urls) == 1
    assert sum(url.startswith("pkg:pypi/") for url in urls) > 10
    assert any(url.startswith("pkg:deb/debian/libc6@") for url in urls)
    assert not any("/pip@" in url or "/perl-base@" in url or "/apt@" in url for url in urls)
