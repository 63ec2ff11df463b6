"""Each image installs what its code imports: the packages named in requirements/images, neither less nor much more."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[3]
OURS = ("services", "shared", "sources", "ops", "autos")
ENTRIES = {
    "api": ["services.api.__main__"],
    "downloader": ["services.downloader.__main__"],
    "status": ["services.status.__main__"],
    "notifier": ["services.notifier.__main__"],
    "ops": ["autos.main", "ops.provision"],
    "demo": ["autos.local.pdpj.__main__", "autos.local.receiver", "autos.local.demo_client"],
}
# The embedded stack is not in the image ops.
LEFT_OUT = ("autos.local", "autos.demo", "autos.stack")
# mode comes with Faust, which pins it.
DISTRIBUTIONS = {
    "psycopg2": "psycopg2-binary",
    "opentelemetry": "opentelemetry-api",
    "faust": "faust-streaming",
    "mode": "faust-streaming",
}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)


def closure(image: str) -> set[str]:
    """Every module that the image's processes can import."""
    left_out = LEFT_OUT if image == "ops" else ()
    seen: set[str] = set()
    waiting = list(ENTRIES[image])
    while waiting:
        module = waiting.pop()
        if module in seen or any(module == one or module.startswith(f"{one}.") for one in left_out):
            continue
        seen.add(module)
        if module.partition(".")[0] in OURS:
            waiting += graph().find_modules_directly_imported_by(module)
    return seen


def stage(image: str) -> str:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    return dockerfile.split(f"AS {image}\n")[1].split("\nFROM ")[0]


@pytest.mark.parametrize("image", ENTRIES)
def test_an_image_installs_what_its_code_imports(image: str) -> None:
    imported = {module.partition(".")[0] for module in closure(image)} - set(OURS) - sys.stdlib_module_names
    needed = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in imported}
    named = set(re.findall(r"^([a-z][a-z0-9-]+)$", (ROOT / f"requirements/images/{image}.in").read_text(), re.M))
    assert needed <= named
    # aiokafka decompresses with it what the downloader compresses, and imports it when it must; the SDK of traces is
    # imported when a collector is named.
    assert named - needed <= {"cramjam", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk"}


@pytest.mark.parametrize("image", ENTRIES)
def test_an_image_copies_the_code_that_it_runs(image: str) -> None:
    copied = {"shared", *re.findall(r"^COPY (?!--from)(\S+) \S+$", stage(image), re.M)}
    for module in closure(image):
        if module.partition(".")[0] in OURS:
            path = module.replace(".", "/")
            places = (f"{path}/__init__.py", f"{path}.py")
            assert any(place.startswith(f"{one}/") or place == one for one in copied for place in places), module


def test_pins_are_the_same_everywhere() -> None:
    whole = pins("local.txt")
    for image in ENTRIES:
        for name, version in pins(f"images/{image}.txt").items():
            assert whole[name] == version, (image, name)


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([\w.\[\]-]+)==([^\s;]+)", (ROOT / "requirements" / name).read_text(), re.M)
    return {package.partition("[")[0]: version for package, version in found}


def test_health_checks_ask_what_the_service_serves() -> None:
    assert '"http://127.0.0.1:8000/health/ready"' in stage("api")
    for image in ("downloader", "status", "notifier"):
        assert "ENV AUTOS_METRICS_PORT=9100" in stage(image)
        assert '"shared.probe", "http://127.0.0.1:9100/metrics"' in stage(image)
