"""deploy/kubernetes as documents: no cluster is needed to see that they fit together and suit the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import AliasChoices

from ops.provision import ProvisionSettings
from services.api.health.routes import router as health_router
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.notifier.settings import NotifierSettings
from services.status.settings import StatusSettings
from shared.events.topics import DOCUMENT_EVENTS, TOPICS
from shared.http.special_purpose import NOT_PUBLIC_V4, NOT_PUBLIC_V6
from shared.settings import AutosSettings

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "deploy" / "kubernetes"
SERVICES: Final[dict[str, type[AutosSettings]]] = {
    "api": ApiSettings,
    "downloader": DownloaderSettings,
    "status": StatusSettings,
    "notifier": NotifierSettings,
}
EVERY: Final[dict[str, type[AutosSettings]]] = {**SERVICES, "provision": ProvisionSettings}

# What the Secrets would hold; a key that is not here is one that may be missing.
VALUES: Final = {
    "AUTOS_DATABASE_URL": "postgresql://role:secret@database:5432/autos?sslmode=verify-full",
    "AUTOS_ROLE_PASSWORD": "secret",
    "AUTOS_PDPJ_CLIENT_ID": "client",
    "AUTOS_PDPJ_CLIENT_SECRET": "secret",
}


def documents(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((FOLDER / name).read_text()) if one]


@pytest.fixture(scope="module")
def applied() -> list[dict[str, Any]]:
    """Everything that kustomization.yaml lists."""
    (kustomization,) = documents("kustomization.yaml")
    return [one for name in kustomization["resources"] for one in documents(name)]


@pytest.fixture(scope="module")
def secrets() -> dict[str, dict[str, str]]:
    return {one["metadata"]["name"]: one["stringData"] for one in documents("secrets.template.yaml")}


def of_kind(found: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in found if one["kind"] in kinds}


def pods(applied: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name without ``autos-``, pod spec, its one container."""
    for name, one in of_kind(applied, "Deployment", "StatefulSet", "Job").items():
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        yield name.removeprefix("autos-"), spec, container


def known_variables(settings: type[AutosSettings]) -> set[str]:
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if alias is None:
            names.add(f"AUTOS_{name.upper()}")
        elif isinstance(alias, AliasChoices):
            names |= {str(choice) for choice in alias.choices}
        else:
            names.add(str(alias))
    return names


def environment(container: dict[str, Any], maps: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    """What the container gets; None for what comes from a Secret or from the pod."""
    found: dict[str, str | None] = {}
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]["data"]
    found |= dict.fromkeys(entry["name"] for entry in container["env"])
    return found


def test_every_file_is_used_or_is_the_template(applied: list[dict[str, Any]]) -> None:
    (kustomization,) = documents("kustomization.yaml")
    there = {path.name for path in FOLDER.glob("*.yaml")}
    assert there == {*kustomization["resources"], "kustomization.yaml", "secrets.template.yaml"}
    names = [(one["kind"], one["metadata"]["name"]) for one in applied]
    assert len(names) == len(set(names))
    assert all(one.get("apiVersion") for one in applied)


def test_the_four_services_and_the_provisioning_run_their_own_images(applied: list[dict[str, Any]]) -> None:
    (kustomization,) = documents("kustomization.yaml")
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.M))
    tagged = {image["name"] for image in kustomization["images"]}
    assert {name for name, _, _ in pods(applied)} == set(EVERY)
    for name, _, container in pods(applied):
        assert container["image"] == f"autos-{name}" and container["image"] in tagged
        assert name in stages


def test_every_reference_has_its_key(applied: list[dict[str, Any]], secrets: dict[str, dict[str, str]]) -> None:
    maps = of_kind(applied, "ConfigMap")
    used_maps, used_keys = set(), set()
    for name, _, container in pods(applied):
        for source in container["envFrom"]:
            assert source["configMapRef"]["name"] in maps, name
            used_maps.add(source["configMapRef"]["name"])
        for entry in container["env"]:
            reference = entry["valueFrom"].get("secretKeyRef")
            if reference is not None:
                assert reference["key"] in secrets[reference["name"]], (name, reference)
                assert reference["key"] == entry["name"]
                used_keys.add((reference["name"], reference["key"]))
    assert used_maps == set(maps)
    assert used_keys == {(name, key) for name, keys in secrets.items() for key in keys}


def test_every_variable_is_a_setting_of_its_service(applied: list[dict[str, Any]]) -> None:
    maps = of_kind(applied, "ConfigMap")
    for name, _, container in pods(applied):
        unknown = set(environment(container, maps)) - known_variables(EVERY[name])
        assert not unknown, name


def test_no_variable_comes_from_two_places(applied: list[dict[str, Any]]) -> None:
    maps = of_kind(applied, "ConfigMap")
    for name, _, container in pods(applied):
        given = [key for source in container["envFrom"] for key in maps[source["configMapRef"]["name"]]["data"]]
        given += [entry["name"] for entry in container["env"]]
        assert len(given) == len(set(given)), name


def test_the_settings_are_accepted(applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    maps = of_kind(applied, "ConfigMap")
    for name, _, container in pods(applied):
        with monkeypatch.context() as patch:
            for key, value in environment(container, maps).items():
                given = value if value is not None else VALUES.get(key)
                if given is not None:
                    patch.setenv(key, given)
            patch.setenv("AUTOS_REPLICA", f"autos-{name}-7c9d8f6b5-abcde")
            settings = EVERY[name](_env_file=None)
        assert settings.shutdown_seconds == 20


def test_what_must_be_there_is_not_optional(applied: list[dict[str, Any]]) -> None:
    for name, _, container in pods(applied):
        optional = {
            entry["name"]: entry["valueFrom"]["secretKeyRef"].get("optional", False)
            for entry in container["env"]
            if "secretKeyRef" in entry["valueFrom"]
        }
        assert optional["AUTOS_DATABASE_URL"] is False, name
        assert all(optional[key] for key in optional.keys() - VALUES.keys()), name


def test_each_pod_holds_the_password_of_its_own_role_only(
    applied: list[dict[str, Any]], secrets: dict[str, dict[str, str]]
) -> None:
    for name, _, container in pods(applied):
        (url,) = [entry for entry in container["env"] if entry["name"] == "AUTOS_DATABASE_URL"]
        assert url["valueFrom"]["secretKeyRef"]["name"] == f"autos-{name}"
    text = (FOLDER / "secrets.template.yaml").read_text()
    for name in SERVICES:
        assert f"postgresql://autos_{name}:PASSWORD@" in text


def test_the_template_has_no_values_and_is_not_applied(
    applied: list[dict[str, Any]], secrets: dict[str, dict[str, str]]
) -> None:
    assert not of_kind(applied, "Secret")
    assert {value for keys in secrets.values() for value in keys.values()} == {""}
    secret = re.compile(r"PASSWORD|SECRET|TOKEN$|_KEY|KAFKA_CONFIG|DATABASE_URL")
    for one in of_kind(applied, "ConfigMap").values():
        assert not [key for key in one["data"] if secret.search(key)]


def test_selectors_match_the_pods(applied: list[dict[str, Any]]) -> None:
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for name, one in of_kind(applied, "Deployment", "StatefulSet", "Job").items()
    }
    for name, one in of_kind(applied, "Deployment", "StatefulSet").items():
        selector = one["spec"]["selector"]["matchLabels"]
        assert [other for other, found in labels.items() if selector.items() <= found.items()] == [name]
        (spread,) = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"] == selector
    for name, one in of_kind(applied, "Service").items():
        assert one["spec"]["selector"].items() <= labels[name].items()
    for name, one in of_kind(applied, "PodDisruptionBudget").items():
        assert one["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for one in of_kind(applied, "HorizontalPodAutoscaler").values():
        target = one["spec"]["scaleTargetRef"]
        assert target["name"] in of_kind(applied, target["kind"])
    for name, one in of_kind(applied, "NetworkPolicy").items():
        selector = one["spec"]["podSelector"]
        wanted = selector.get("matchLabels", {})
        assert any(wanted.items() <= found.items() for found in labels.values()), name
        for expression in selector.get("matchExpressions", ()):
            assert set(expression["values"]) <= set(labels), name


def test_a_budget_for_every_service(applied: list[dict[str, Any]]) -> None:
    assert set(of_kind(applied, "PodDisruptionBudget")) == {f"autos-{name}" for name in SERVICES}


def test_probes_ask_for_what_is_served(applied: list[dict[str, Any]]) -> None:
    paths = {getattr(route, "path", "") for route in health_router.routes}
    maps = of_kind(applied, "ConfigMap")
    for name, _, container in pods(applied):
        probes = {kind: probe for kind, probe in container.items() if kind.endswith("Probe")}
        if name == "provision":
            assert not probes
            continue
        given = environment(container, maps)
        assert {"startupProbe", "livenessProbe"} <= probes.keys(), name
        for probe in probes.values():
            if name == "api":
                assert probe["httpGet"]["path"] in paths
                assert probe["httpGet"]["port"] in {port["name"] for port in container["ports"]}
            else:
                # A pod's loopback, which an HTTP probe of the kubelet does not reach.
                script = probe["exec"]["command"][2]
                assert f"http://127.0.0.1:{given['AUTOS_METRICS_PORT']}/metrics" in script
                compile(script, name, "exec")
        if name == "api":
            assert probes["readinessProbe"]["httpGet"]["path"] == "/health/ready"
            assert probes["livenessProbe"]["httpGet"]["path"] == "/health/live"
            assert container["ports"][0]["containerPort"] == int(given["AUTOS_API_PORT"] or 0)


def test_a_pod_has_time_to_end_in_order(applied: list[dict[str, Any]]) -> None:
    seconds = float(of_kind(applied, "ConfigMap")["autos-common"]["data"]["AUTOS_SHUTDOWN_SECONDS"])
    for name, spec, container in pods(applied):
        if name in SERVICES:
            before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
            assert spec["terminationGracePeriodSeconds"] >= 2 * seconds + float(before[1]), name


def test_pods_are_restricted(applied: list[dict[str, Any]]) -> None:
    maps = of_kind(applied, "ConfigMap")
    for name, spec, container in pods(applied):
        security = {**spec["securityContext"], **container["securityContext"]}
        assert security["runAsNonRoot"] is True and security["runAsUser"] == 10001, name
        assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        # Else the Service autos-api sets AUTOS_API_PORT to an address.
        assert spec["enableServiceLinks"] is False, name
        volumes = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounted[environment(container, maps)["AUTOS_DATA_DIR"] or ""] in volumes, name
        assert mounted["/tmp"] in volumes, name
        assert container["resources"]["limits"]["memory"], name
    assert "--uid 10001" in (ROOT / "deploy" / "trim-base").read_text()


def test_the_downloader_keeps_its_name(applied: list[dict[str, Any]]) -> None:
    downloader = of_kind(applied, "StatefulSet")["autos-downloader"]
    headless = of_kind(applied, "Service")[downloader["spec"]["serviceName"]]
    assert headless["spec"]["clusterIP"] == "None"
    for name, _, container in pods(applied):
        if name in SERVICES:
            (replica,) = [entry for entry in container["env"] if entry["name"] == "AUTOS_REPLICA"]
            assert replica["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}, name


def test_no_service_has_more_replicas_than_partitions(applied: list[dict[str, Any]]) -> None:
    (partitions,) = [topic.partitions for topic in TOPICS if topic.name == DOCUMENT_EVENTS]
    assert of_kind(applied, "Deployment")["autos-status"]["spec"]["replicas"] <= partitions


def test_everything_is_forbidden_and_the_internet_is_what_the_guard_allows(applied: list[dict[str, Any]]) -> None:
    policies = of_kind(applied, "NetworkPolicy")
    nothing = policies["autos-nothing-by-default"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (rule,) = policies["autos-internet"]["spec"]["egress"]
    blocks = {target["ipBlock"]["cidr"]: target["ipBlock"]["except"] for target in rule["to"]}
    assert blocks == {"0.0.0.0/0": [str(one) for one in NOT_PUBLIC_V4], "::/0": [str(one) for one in NOT_PUBLIC_V6]}
    ports = [(port["port"], port.get("endPort", port["port"])) for port in rule["ports"]]
    assert ports == [(80, 80), (443, 443), (1024, 65535)]
    # Nobody but the api is called.
    callers = [one for one in policies.values() if one["spec"].get("ingress")]
    assert [one["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in callers] == ["autos-api"]
