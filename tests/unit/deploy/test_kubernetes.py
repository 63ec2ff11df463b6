"""deploy/kubernetes as documents: no cluster is needed to see that they fit together and suit the settings."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import AliasChoices

from autos import __version__
from ops.provision import ProvisionSettings
from services.api.health.routes import router as health_router
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.notifier.settings import NotifierSettings
from services.status.settings import StatusSettings
from shared.events.flow import READERS
from shared.events.topics import DOCUMENT_EVENTS, TOPICS
from shared.http.special_purpose import NOT_PUBLIC_V4, NOT_PUBLIC_V6
from shared.settings import AutosSettings
from tools.kubernetes.__main__ import OVERLAYS, problems
from tools.kubernetes.render import read, render
from tools.kubernetes.schemas import Schemas

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "deploy" / "kubernetes"
BASE: Final = FOLDER / "base"
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


@pytest.fixture(scope="module", params=OVERLAYS)
def applied(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Everything that an overlay gives."""
    return render(FOLDER / request.param)


@pytest.fixture(scope="module")
def production() -> list[dict[str, Any]]:
    return render(FOLDER / "production")


@pytest.fixture(scope="module")
def secrets() -> dict[str, dict[str, str]]:
    return {one["metadata"]["name"]: one["stringData"] for one in read(FOLDER / "secrets.template.yaml")}


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


def test_every_file_is_used_or_is_the_template() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*OVERLAYS, "secrets.template.yaml"}
    for overlay in OVERLAYS:
        (kustomization,) = read(FOLDER / overlay / "kustomization.yaml")
        used = {name for name in kustomization["resources"] if name.endswith(".yaml")}
        assert {path.name for path in (FOLDER / overlay).iterdir()} == {*used, "kustomization.yaml"}


def test_no_resource_comes_twice(applied: list[dict[str, Any]]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in applied]
    assert len(names) == len(set(names))


def test_the_four_services_and_the_provisioning_run_their_own_images(applied: list[dict[str, Any]]) -> None:
    (kustomization,) = read(BASE / "kustomization.yaml")
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.M))
    tagged = {image["name"] for image in kustomization["images"]}
    assert {name for name, _, _ in pods(applied)} == set(EVERY)
    for name, _, container in pods(applied):
        image, _, tag = container["image"].partition(":")
        assert image == f"autos-{name}" and image in tagged
        assert tag == __version__
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
    assert used_keys == {(name, key) for name, keys in secrets.items() for key in keys if name != "autos-keda"}


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
        for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == selector
    for name, one in of_kind(applied, "Service").items():
        if name != "autos-nobody":
            assert one["spec"]["selector"].items() <= labels[name].items()
    for name, one in of_kind(applied, "PodDisruptionBudget").items():
        assert one["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for one in of_kind(applied, "HorizontalPodAutoscaler", "ScaledObject").values():
        target = one["spec"]["scaleTargetRef"]
        assert target["name"] in of_kind(applied, target["kind"])
    for name, one in of_kind(applied, "NetworkPolicy").items():
        selector = one["spec"]["podSelector"]
        wanted = selector.get("matchLabels", {})
        assert any(wanted.items() <= found.items() for found in labels.values()), name
        for expression in selector.get("matchExpressions", ()):
            assert set(expression["values"]) <= set(labels), name


def test_a_budget_a_scaler_and_zones_for_every_service(production: list[dict[str, Any]]) -> None:
    every = {f"autos-{name}" for name in SERVICES}
    assert set(of_kind(production, "PodDisruptionBudget")) == every
    scalers = of_kind(production, "HorizontalPodAutoscaler") | of_kind(production, "ScaledObject")
    assert set(scalers) == every
    for one in of_kind(production, "Deployment", "StatefulSet").values():
        # A count in the manifest would take back what the scaler has set.
        assert "replicas" not in one["spec"]
        spread = [each["topologyKey"] for each in one["spec"]["template"]["spec"]["topologySpreadConstraints"]]
        assert spread == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_scaling_by_lag_looks_at_the_groups_that_there_are(
    production: list[dict[str, Any]], secrets: dict[str, dict[str, str]]
) -> None:
    common = of_kind(production, "ConfigMap")["autos-common"]["data"]
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    keys = of_kind(production, "TriggerAuthentication")["autos-kafka"]["spec"]["secretTargetRef"]
    assert {(one["name"], one["key"]) for one in keys} == {("autos-keda", key) for key in secrets["autos-keda"]}
    for name, one in of_kind(production, "ScaledObject").items():
        groups = READERS[name.removeprefix("autos-")]
        for trigger in one["spec"]["triggers"]:
            found = trigger["metadata"]
            assert found["bootstrapServers"] == common["AUTOS_KAFKA_BOOTSTRAP_SERVERS"]
            prefix, _, group = found["consumerGroup"].partition(".")
            assert prefix == common["AUTOS_KAFKA_GROUP_PREFIX"]
            assert found["topic"] in groups[group]
            assert one["spec"]["maxReplicaCount"] <= partitions[found["topic"]]
            assert trigger["authenticationRef"] == {"name": "autos-kafka"}


def test_the_manifests_are_what_kubernetes_knows() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("Deployment", ("spec", "replica", 2), "replica"),
        ("Deployment", ("spec", "replicas", "two"), "two"),
        ("NetworkPolicy", ("spec", "policyType", ["Ingress"]), "policyType"),
        ("Service", ("spec", "ports", "80"), "80"),
        ("ScaledObject", ("spec", "minReplicas", 2), "minReplicas"),
    ],
)
def test_a_mistake_in_a_manifest_is_seen(
    production: list[dict[str, Any]], kind: str, change: tuple[str, str, Any], words: str
) -> None:
    one = next(iter(of_kind(production, kind).values()))
    part, field, value = change
    wrong = {**one, part: {**one[part], field: value}}
    assert any(words in fault for fault in Schemas().faults(wrong))
    assert not list(Schemas().faults(one))


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_checked_is_what_kubectl_renders(overlay: str) -> None:
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, check=True)

    def in_order(found: Any) -> list[dict[str, Any]]:
        return sorted((one for one in found if one), key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert in_order(yaml.safe_load_all(done.stdout)) == in_order(render(FOLDER / overlay))


def test_metrics_are_for_a_prometheus_of_the_cluster(applied: list[dict[str, Any]]) -> None:
    maps = of_kind(applied, "ConfigMap")
    for name, one in of_kind(applied, "Deployment", "StatefulSet").items():
        template = one["spec"]["template"]
        (container,) = template["spec"]["containers"]
        given = environment(container, maps)
        assert given["AUTOS_METRICS_HOST"] == "0.0.0.0"
        assert template["metadata"]["annotations"]["prometheus.io/port"] == given["AUTOS_METRICS_PORT"], name
        assert {"name": "metrics", "containerPort": int(given["AUTOS_METRICS_PORT"] or 0)} in container["ports"], name


def test_the_internet_does_not_see_the_metrics(production: list[dict[str, Any]]) -> None:
    (rule,) = of_kind(production, "Ingress")["autos-api"]["spec"]["rules"]
    to = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert to == {"/metrics": "autos-nobody", "/": "autos-api"}
    assert "selector" not in of_kind(production, "Service")["autos-nobody"]["spec"]


def test_provisioning_can_be_applied_before_the_services(applied: list[dict[str, Any]]) -> None:
    """By label: what the Job needs is in the first step, and no service is."""
    step = "app.kubernetes.io/component"
    for one in applied:
        if one["kind"] in ("Namespace", "ConfigMap", "NetworkPolicy", "Job"):
            assert one["metadata"]["labels"][step] == "provision", one["metadata"]["name"]
        elif one["kind"] in ("Deployment", "StatefulSet"):
            assert one["metadata"]["labels"][step] == "service"


def test_one_node_has_one_of_each() -> None:
    found = render(FOLDER / "single-node")
    assert {one["spec"]["replicas"] for one in of_kind(found, "Deployment", "StatefulSet").values()} == {1}
    assert of_kind(found, "ConfigMap")["autos-provision"]["data"]["AUTOS_KAFKA_REPLICATION_FACTOR"] == "1"


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
                # Sees heartbeats that are old, which an HTTP probe of the kubelet would not.
                address = f"http://127.0.0.1:{given['AUTOS_METRICS_PORT']}/metrics"
                assert probe["exec"]["command"] == ["python", "-m", "shared.probe", address]
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
    assert of_kind(applied, "Deployment")["autos-status"]["spec"].get("replicas", 1) <= partitions


def test_everything_is_forbidden_and_the_internet_is_what_the_guard_allows(applied: list[dict[str, Any]]) -> None:
    policies = of_kind(applied, "NetworkPolicy")
    nothing = policies["autos-nothing-by-default"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (rule,) = policies["autos-internet"]["spec"]["egress"]
    blocks = {
        target["ipBlock"]["cidr"]: [ipaddress.ip_network(one) for one in target["ipBlock"]["except"]]
        for target in rule["to"]
    }
    assert blocks == {"0.0.0.0/0": list(NOT_PUBLIC_V4), "::/0": list(NOT_PUBLIC_V6)}
    ports = [(port["port"], port.get("endPort", port["port"])) for port in rule["ports"]]
    assert ports == [(80, 80), (443, 443), (1024, 65535)]
    # Nobody but the api is called, and by Prometheus everybody at one port.
    called = {name: one["spec"] for name, one in policies.items() if one["spec"].get("ingress")}
    assert set(called) == {"autos-api-callers", "autos-metrics"}
    assert called["autos-api-callers"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "autos-api"}}
    (scraped,) = called["autos-metrics"]["ingress"]
    assert scraped["ports"] == [{"protocol": "TCP", "port": 9100}]
