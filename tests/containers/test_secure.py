"""deploy/compose/secure.yml: the main job through it, and the refusal of what each service may not do."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from autos.local.pdpj.control import SimulatorControl
from autos.local.ports_and_secrets import free_port
from ops.topic_access import rights
from shared.events.flow import READERS, SERVICES
from shared.events.topics import TOPICS
from tests.containers.deployment import DEMO, ROOT, Deployment
from tests.e2e.journey import ask, files
from tests.product import Product, Receiver
from tests.support import wait_until

NumberFactory = Callable[[], str]

# The first test waits for the engine and the images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]

HERE: Final = Path(__file__).parent
OVERLAY: Final = "deploy/compose/secure.yml"
RECEIVER: Final = "https://receiver:9000"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the authority's certificate is, once :func:`secured` is up."""
    return tmp_path_factory.mktemp("trust") / "ca.pem"


@pytest.fixture(scope="module")
def secured(
    images: Mapping[str, str], certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """The overlay, up and healthy; gone with its volumes at the end."""
    folder = tmp_path_factory.mktemp("secured")
    made = subprocess.run(["deploy/compose/secrets", str(DEMO)], cwd=ROOT, capture_output=True, text=True, check=True)
    (folder / "env").write_text(made.stdout)
    settings = dict(line.split("=", 1) for line in made.stdout.splitlines() if line and not line.startswith("#"))
    names = ("AUTOS_API_PORT", "AUTOS_S3_PORT", "AUTOS_PDPJ_PORT", "AUTOS_RECEIVER_PORT")
    ports = {name: str(free_port()) for name in names}
    environment = {
        **images,
        **ports,
        "AUTOS_S3_PUBLIC_ENDPOINT_URL": f"https://localhost:{ports['AUTOS_S3_PORT']}",
    }
    api, key = f"http://127.0.0.1:{ports['AUTOS_API_PORT']}", settings["AUTOS_DEMO_API_KEY"]
    receiver = Receiver(f"https://localhost:{ports['AUTOS_RECEIVER_PORT']}", certificates=certificates)
    headers = {"authorization": f"Bearer {key}"}
    with (
        SimulatorControl(f"http://127.0.0.1:{ports['AUTOS_PDPJ_PORT']}") as simulator,
        httpx.Client(base_url=api, headers=headers, timeout=60, trust_env=False) as client,
    ):
        product = Product(folder, api, (api,), key, client, simulator, receiver)
        found = Deployment(f"autos-secure-{os.getpid()}", environment, product, folder / "env", (OVERLAY,))
        try:
            found.compose("run", "--rm", "--no-deps", "certificates")
            show = ("--entrypoint", "cat", "certificates", "/certificates/trust/ca.pem")
            certificates.write_text(found.compose("run", "--rm", "--no-deps", *show))
            found.up()
            yield found
        finally:
            found.compose("down", "--volumes", "--timeout", "10")
            receiver.close()


def probe(deployment: Deployment, service: str, script: str, *arguments: str) -> Any:
    """What a script of this folder says in a service's container."""
    (container,) = deployment.containers(service)
    done = subprocess.run(
        ["docker", "exec", "--interactive", container, "python", "-", *arguments],
        input=(HERE / script).read_text(),
        env={**os.environ, **deployment.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_case_is_fetched_and_its_webhook_comes_over_https(
    secured: Deployment, certificates: Path, process_number: NumberFactory
) -> None:
    product, number = secured.product, process_number()
    product.simulator.put_case(number, documents=12, size=40_000)
    ask(product, number, webhook_url=f"{RECEIVER}/hooks/main")
    ended = product.wait_for_end(number)
    assert (ended["status"], ended["completed_documents"]) == ("completed", 12)
    (call,) = product.wait_for_webhook("/hooks/main")
    assert call.verified
    with httpx.Client(verify=ssl.create_default_context(cafile=str(certificates)), trust_env=False) as trusting:
        for document in files(product, number):
            assert document["download_url"].startswith("https://localhost:")
            body = trusting.get(document["download_url"]).raise_for_status().content
            assert hashlib.sha256(body).hexdigest() == document["sha256"]
        sent = call.body["data"]["documents"][0]["download_url"]
        assert trusting.get(sent).status_code == 200
    assert "do not match" not in secured.compose("run", "--rm", "ops", "doctor", "--deep", "--settle", "0")
    topics = secured.compose("run", "--rm", "ops", "topics")
    assert {f"group autos.{group}" for groups in READERS.values() for group in groups} == {
        line.partition(":")[0] for line in topics.splitlines() if line.startswith("group autos.")
    }


def test_a_receiver_that_nobody_vouches_for_is_not_sent_to(secured: Deployment, process_number: NumberFactory) -> None:
    product, number = secured.product, process_number()
    product.simulator.put_case(number, documents=1, size=1_000)
    problem = ask(product, number, expect=422, webhook_url="http://receiver:9000/hooks/plain")
    assert "https" in problem["detail"]
    # The pod of another name: its certificate is good, and not for this one.
    (container,) = secured.containers("receiver")
    networks = secured.inspect(container)["NetworkSettings"]["Networks"]
    (address,) = [network["IPAddress"] for network in networks.values()]
    ask(product, number, webhook_url=f"https://{address}:9000/hooks/other-name")

    def refused() -> bool:
        listed = product.client.get("/webhooks/deliveries").raise_for_status().json()["deliveries"]
        return any(one["last_error_code"] == "tls_error" for one in listed)

    wait_until(refused, what="an attempt that the certificate ends")
    assert product.receiver.received("/hooks/other-name") == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_not_touch_what_is_not_its_own_at_the_broker(secured: Deployment, service: str) -> None:
    mine = {(one.resource, one.operation, one.name) for one in rights() if one.principal == f"autos-{service}"}
    every = [topic.name for topic in TOPICS]
    groups = [f"autos.{group}" for found in READERS.values() for group in found]
    asked = {
        "write": [topic for topic in every if ("topic", "WRITE", topic) not in mine],
        "read": [topic for topic in every if ("topic", "READ", topic) not in mine],
        "groups": [group for group in groups if ("group", "READ", group) not in mine],
        "transactions": ["another.id", *([] if service == "downloader" else ["autos.planner.1.host"])],
        "readable": [next((name for kind, operation, name in mine if (kind, operation) == ("topic", "WRITE")), "none")],
    }
    answers = probe(secured, service, "probe_broker.py", json.dumps(asked))
    assert answers == {
        "write": dict.fromkeys(asked["write"], "TOPIC_AUTHORIZATION_FAILED"),
        "read": dict.fromkeys(asked["read"], "TOPIC_AUTHORIZATION_FAILED"),
        "groups": dict.fromkeys(asked["groups"], "GROUP_AUTHORIZATION_FAILED"),
        "transactions": dict.fromkeys(asked["transactions"], "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    }


def test_the_brokers_rights_are_exactly_the_commands(secured: Deployment) -> None:
    # Without a right for autos-keda, who was given no password.
    apply = ("run", "--rm", "provision", "python", "-m", "autos.main", "topics", "acls", "--apply")
    added = [line for line in secured.compose(*apply).splitlines() if line.startswith(("+", "-"))]
    assert added and all(line.startswith("+ autos-keda") for line in added)
    assert " 0 added, 0 taken away" in secured.compose(*apply)


def test_nobody_comes_in_by_another_way(secured: Deployment) -> None:
    answers: dict[str, str | None] = probe(secured, "api", "probe_logins.py")
    let_in = {what for what, error in answers.items() if error is None}
    assert let_in == {f"{server}: as it should be" for server in ("kafka", "postgres", "s3")}, answers
    said = {
        "kafka: a wrong password": "_AUTHENTICATION",
        "kafka: another service's name": "_AUTHENTICATION",
        "kafka: an unknown authority": "certificate verify failed",
        "kafka: the operators' port without a certificate": "certificate required",
        "kafka: the controller's port without a certificate": "certificate required",
        "postgres: no TLS": "no encryption",
        "postgres: a wrong password": "password authentication failed",
        "postgres: another service's role": "password authentication failed",
        "postgres: an unknown authority": "certificate verify failed",
        "postgres: another name": "does not match host name",
        "s3: a wrong secret": "SignatureDoesNotMatch",
        "s3: its gRPC without a certificate": "CERTIFICATE_REQUIRED",
        "s3: an unknown authority": "CERTIFICATE_VERIFY_FAILED",
    }
    assert {what: error for what, error in answers.items() if what in said and said[what] not in (error or "")} == {}


def test_at_the_store_each_does_what_it_may(secured: Deployment) -> None:
    found = {service: probe(secured, service, "probe_store.py") for service in ("api", "downloader", "notifier")}
    denied = "AccessDenied"
    assert found == {
        "api": {"put": denied, "list": None, "delete": denied, "make a bucket": denied},
        "downloader": {"put": None, "list": None, "delete": None, "make a bucket": denied},
        "notifier": {"put": denied, "list": denied, "delete": denied, "make a bucket": denied},
    }


def test_an_expired_certificate_of_the_database_is_refused_and_a_new_one_is_taken(secured: Deployment) -> None:
    (postgres,) = secured.containers("postgres")
    place = "/certificates/postgres"
    expired = (
        f"openssl req -new -key {place}/key.pem -subj /CN=postgres | openssl x509 -req"
        " -CA /certificates/authority/ca.pem -CAkey /certificates/authority/ca.key"
        f" -not_before 20240101000000Z -not_after 20240201000000Z -out {place}/certificate.pem"
        f" && chown 999 {place}/certificate.pem"
    )
    secured.compose("run", "--rm", "--no-deps", "--entrypoint", "sh", "certificates", "-ec", expired)
    secured.docker("kill", "--signal", "HUP", postgres)
    # libpq says no more of it than that.
    wait_until(lambda: "certificate verify failed" in _database(secured), what="the refusal of an expired certificate")
    secured.compose("run", "--rm", "--no-deps", "certificates")
    secured.docker("kill", "--signal", "HUP", postgres)
    wait_until(lambda: _database(secured) == "", what="a connection with the new certificate")


def _database(deployment: Deployment) -> str:
    """What a new connection of the api says; empty when it is there."""
    (container,) = deployment.containers("api")
    script = """
import os, psycopg2
try:
    psycopg2.connect(os.environ["AUTOS_DATABASE_URL"]).close()
except psycopg2.Error as error:
    print(error)
"""
    return deployment.docker("exec", container, "python", "-c", script).strip()
