"""docker-compose.yml run as it is, seen from outside: the API and links from the host, containers by Docker."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import partial

import httpx
import pytest

from autos import __version__
from tests.containers.deployment import INSIDE_RECEIVER, SERVERS, SERVICES, Deployment
from tests.e2e.journey import ask, check_files, files
from tests.support import wait_until

NumberFactory = Callable[[], str]

# The first test waits for the engine and the images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]

VERSION = os.environ.get("AUTOS_VERSION", "local")
TARGETS = (*SERVICES, "provision", "ops", "demo")
_MOST_MEGABYTES = 200


def test_images_are_labelled_small_and_without_a_compiler(images: Mapping[str, str], deployment: Deployment) -> None:
    for target in TARGETS:
        name = f"autos-{target}:{VERSION}"
        (image,) = json.loads(deployment.docker("image", "inspect", name))
        labels = image["Config"]["Labels"]
        assert labels["org.opencontainers.image.version"] == __version__
        assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
        assert image["Config"]["User"] == "autos"
        assert image["Size"] < _MOST_MEGABYTES * 1_000_000, (name, image["Size"])
    for service in SERVICES:
        (container,) = deployment.containers(service)
        found = deployment.docker(
            "exec", container, "sh", "-c", "command -v cc gcc c++ ld strip pip apt perl su || true"
        )
        assert found == "", service
        uncompiled = (
            "for f in $(find /app -name '*.py'); do ls ${f%/*}/__pycache__/$(basename $f .py).*.pyc; done > /dev/null"
        )
        deployment.docker("exec", container, "sh", "-ec", uncompiled)


def test_services_are_healthy_and_can_write_to_their_data_alone(deployment: Deployment) -> None:
    for service in SERVICES:
        (container,) = deployment.containers(service)
        found = deployment.inspect(container)
        assert found["State"]["Health"]["Status"] == "healthy"
        assert found["HostConfig"]["ReadonlyRootfs"]
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        deployment.docker(
            "exec", container, "sh", "-c", "test $(id -u) = 10001 && touch /data/it /tmp/it && rm /data/it"
        )
        with pytest.raises(AssertionError, match="Read-only file system"):
            deployment.docker("exec", container, "touch", "/app/it")


def test_a_case_is_fetched_and_its_webhook_comes(deployment: Deployment, process_number: NumberFactory) -> None:
    product, number = deployment.product, process_number()
    product.simulator.put_case(number, documents=12, size=40_000)
    view = ask(product, number, webhook_url=f"{INSIDE_RECEIVER}/hooks/main")
    assert len(view["documents"]) == 12
    ended = product.wait_for_end(number)
    assert (ended["status"], ended["completed_documents"]) == ("completed", 12)
    # The links lead from this machine to the store, not from a container.
    assert check_files(product, number) == 12
    (call,) = product.wait_for_webhook("/hooks/main")
    assert call.verified
    link = call.body["data"]["documents"][0]["download_url"]
    assert httpx.get(link, trust_env=False).status_code == 200


def test_the_operator_makes_a_key_that_works(deployment: Deployment) -> None:
    written = deployment.compose("run", "--rm", "ops", "keys", "create", "OFFICE")
    key = next(word for word in written.split() if word.startswith("autos_sk_"))
    answer = httpx.get(
        f"{deployment.product.api_url}/jobs/00000000-0000-4000-8000-000000000000",
        headers={"authorization": f"Bearer {key}"},
        trust_env=False,
    )
    assert answer.status_code == 404, answer.text
    assert "1 broker(s)" in deployment.compose("run", "--rm", "ops", "doctor")
    assert "document.requested" in deployment.compose("run", "--rm", "ops", "topics")


def test_three_downloaders_share_the_work(deployment: Deployment, process_number: NumberFactory) -> None:
    product = deployment.product
    deployment.up("--scale", "downloader=3")
    assert len(deployment.containers("downloader")) == 3
    numbers = [process_number() for _ in range(6)]
    for number in numbers:
        product.simulator.put_case(number, documents=20, size=2_000, latency=0.05)
        ask(product, number, webhook_url=f"{INSIDE_RECEIVER}/hooks/three/{number}")
    for number in numbers:
        assert product.wait_for_end(number)["status"] == "completed"
        assert check_files(product, number) == 20
        assert len(product.wait_for_webhook(f"/hooks/three/{number}")) == 1
    for container in deployment.containers("downloader"):
        assert _partitions(deployment, container) > 0


def _partitions(deployment: Deployment, container: str) -> float:
    read = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
    metrics = deployment.docker("exec", container, "python", "-c", read)
    line = next(
        line for line in metrics.splitlines() if line.startswith('autos_consumer_partitions{runtime="fetcher"}')
    )
    return float(line.rpartition(" ")[2])


def test_each_container_restarts_in_the_middle_of_work(deployment: Deployment, process_number: NumberFactory) -> None:
    product = deployment.product
    asked = {}
    for service in (*SERVICES, *SERVERS):
        number = asked[service] = process_number()
        product.simulator.put_case(number, documents=8, size=2_000, latency=0.2)
        ask(product, number, webhook_url=f"{INSIDE_RECEIVER}/hooks/restart/{number}")
        deployment.docker("restart", "--time", "25", *deployment.containers(service))
        wait_until(lambda: _api_is_ready(deployment), 120, f"the API after a restart of {service}")
    for service, number in asked.items():
        ended = product.wait_for_end(number, timeout=120)
        assert ended["status"] == "completed", service
        # The store answers before it has found its volumes again.
        wait_until(partial(_links_work, deployment, number), what=f"links after a restart of {service}")
        assert check_files(product, number) == 8
        # At least once: a notifier that is restarted may not know that its call was taken.
        assert product.wait_for_webhook(f"/hooks/restart/{number}")[-1].verified
    deployment.wait_until_healthy()
    assert "do not match" not in deployment.compose("run", "--rm", "ops", "doctor", "--deep", "--settle", "0")


def _links_work(deployment: Deployment, number: str) -> bool:
    links = [document["download_url"] for document in files(deployment.product, number)]
    return all(httpx.get(link, trust_env=False).status_code == 200 for link in links)


def _api_is_ready(deployment: Deployment) -> bool:
    try:
        answer = httpx.get(f"{deployment.product.api_url}/health/ready", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and answer.json()["status"] == "ok"


def test_the_health_check_fails_where_nothing_answers(deployment: Deployment) -> None:
    (container,) = deployment.containers("status")
    probe = ("exec", container, "python", "-m", "shared.probe")
    deployment.docker(*probe, "http://127.0.0.1:9100/metrics")
    with pytest.raises(AssertionError, match="does not answer"):
        deployment.docker(*probe, "http://127.0.0.1:9101/metrics")


def test_down_and_up_again_keeps_the_data(deployment: Deployment, process_number: NumberFactory) -> None:
    product, number = deployment.product, process_number()
    product.simulator.put_case(number, documents=5, size=10_000)
    ask(product, number)
    assert product.wait_for_end(number)["status"] == "completed"
    before = {document["id"]: document["sha256"] for document in files(product, number)}
    deployment.compose("down", "--timeout", "25")
    with pytest.raises(httpx.TransportError):
        product.client.get(f"/processes/{number}")
    deployment.up()
    wait_until(lambda: _links_work(deployment, number), what="links after a start")
    product.simulator.put_case(number, documents=5, size=10_000)
    assert check_files(product, number) == 5
    assert {document["id"]: document["sha256"] for document in files(product, number)} == before
    assert product.simulator.case_metrics(number).document_requests == {}
