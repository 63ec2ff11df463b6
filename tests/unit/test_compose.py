"""docker-compose.yml and the Dockerfile as documents: no engine is needed to see that they fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers import servers
from tests.containers.stand_ins import STAND_INS

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "downloader", "status", "notifier")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_compose_has_the_servers_and_the_four_services(compose: dict[str, Any]) -> None:
    demo = {name for name, service in compose["services"].items() if service.get("profiles") == ["demo"]}
    assert demo == {"pdpj", "demo-client", "receiver"}
    assert compose["services"]["ops"]["profiles"] == ["ops"]
    assert set(compose["services"]) - demo == {"kafka", "postgres", "s3", "provision", "ops", *SERVICES}
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


def test_what_is_ours_is_confined_and_named(compose: dict[str, Any]) -> None:
    ours = {name: service for name, service in compose["services"].items() if "build" in service}
    for name, service in ours.items():
        assert service["image"] == f"autos-{service['build']['target']}:${{AUTOS_VERSION:-local}}", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "/tmp" in service["tmpfs"], name
        written = [*service["tmpfs"], *(volume.rpartition(":")[2] for volume in service.get("volumes", []))]
        assert any(place.startswith("/data") for place in written), name


def test_upstream_images_are_pinned_and_have_stand_ins(compose: dict[str, Any]) -> None:
    named = {service["image"] for service in compose["services"].values() if "build" not in service}
    (python,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.M)
    assert named | {python} == set(STAND_INS)
    for image in STAND_INS:
        assert re.search(r":\d", image), image
        folder, _ = STAND_INS[image]
        assert f'autos.stand-in="{image}"' in (ROOT / "tests/containers/images" / folder / "Dockerfile").read_text()
    assert named == {servers.KAFKA_IMAGE, servers.POSTGRES_IMAGE, servers.S3_IMAGE}


def test_the_demonstration_sets_what_compose_needs(compose: dict[str, Any]) -> None:
    lines = (ROOT / "deploy" / "compose.demo.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{([A-Z0-9_]+):\?", text)) <= set(given)
    assert set(given) - {"COMPOSE_PROJECT_NAME"} <= set(re.findall(r"\$\{([A-Z0-9_]+)", text))


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


def test_the_cluster_overlay_reaches_every_server_from_every_service() -> None:
    overlay: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose" / "cluster.yml").read_text())
    services = overlay["services"]
    brokers = [services[name]["environment"] for name in ("kafka", "kafka-2", "kafka-3")]
    assert {each["KAFKA_NODE_ID"] for each in brokers} == {1, 2, 3}
    assert len({each["KAFKA_BROKER_RACK"] for each in brokers}) == 3
    for each in brokers:
        assert (each["KAFKA_DEFAULT_REPLICATION_FACTOR"], each["KAFKA_MIN_INSYNC_REPLICAS"]) == (3, 2)
    for name in (*SERVICES, "provision", "ops"):
        settings = services[name]["environment"]
        assert settings["AUTOS_KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092,kafka-2:9092,kafka-3:9092", name
        address = settings["AUTOS_DATABASE_URL"]
        assert address.endswith("@postgres:5432,postgres-2:5432/autos?target_session_attrs=read-write"), name
    assert all(services[name]["scale"] == 2 for name in SERVICES)
