"""docker-compose.yml and the Dockerfile as documents: no engine is needed to see that they fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "downloader", "status", "notifier")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_compose_has_the_servers_and_the_four_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"kafka", "postgres", "s3", "provision", *SERVICES}
    for name, service in compose["services"].items():
        for dependency in service.get("depends_on", {}):
            assert dependency in compose["services"], name


def test_each_service_builds_a_target_that_runs_its_module(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    for name in SERVICES:
        build = compose["services"][name]["build"]
        assert (ROOT / build["context"] / build["dockerfile"]).is_file()
        assert build["target"] == name
        stage = dockerfile.split(f"AS {name}\n")[1].split("\nFROM ")[0]
        assert f'CMD ["python", "-m", "services.{name}"]' in stage
        assert f"COPY services/{name} services/{name}" in stage
        assert (ROOT / "services" / name / "__main__.py").is_file()


def test_each_service_connects_with_its_own_role(compose: dict[str, Any]) -> None:
    for name in SERVICES:
        url = compose["services"][name]["environment"]["AUTOS_DATABASE_URL"]
        assert url.startswith(f"postgresql://autos_{name}:")


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for variable in re.findall(r"\$\{([A-Z0-9_]*(?:PASSWORD|SECRET_ACCESS_KEY))(:[?-][^}]*)?\}", text):
        assert variable[1].startswith(":?"), variable[0]


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
