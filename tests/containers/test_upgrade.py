"""A rolling upgrade and its way back: services of before and of now side by side, on one database and one Kafka.

The new provisioning runs first (it only adds), then each service in turn gets its new image beside the old one, and
loses it again in a rollback, while cases are fetched all the time. Nothing may be lost, set aside or delivered twice.
AUTOS_UPGRADE_ORDERS says in how many of the 24 orders of services (default: one).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import httpx
import pytest

from tests.containers.deployment import INSIDE_RECEIVER, SERVICES, Deployment, running_deployment
from tests.containers.history import TAG, NoHistory, build_images_of, commit_before
from tests.e2e.journey import ask, check_files
from tests.support import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3000)]

NOW: Final = os.environ.get("AUTOS_VERSION", "local")
_ORDERS: Final = [*itertools.permutations(SERVICES)][: int(os.environ.get("AUTOS_UPGRADE_ORDERS", "1"))]
_CASES: Final = 2
_DOCUMENTS: Final = 15
_HEALTHY_SECONDS: Final = 120.0
_END_SECONDS: Final = 180.0


@dataclass
class Upgrade:
    """A deployment whose services change their version one by one, and the cases that were asked for meanwhile."""

    deployment: Deployment
    process_number: Callable[[], str]
    asked: list[str] = field(default_factory=list)

    def at(self, version: str) -> Deployment:
        """The deployment as Compose commands see it that start containers of ``version``."""
        return replace(self.deployment, environment={**self.deployment.environment, "AUTOS_VERSION": version})

    def ask(self) -> None:
        """Ask for more cases; none is waited for."""
        product = self.deployment.product
        for _ in range(_CASES):
            number = self.process_number()
            product.simulator.put_case(number, documents=_DOCUMENTS, size=2_000, latency=0.1)
            ask(product, number, webhook_url=f"{INSIDE_RECEIVER}/upgrade/{number}")
            self.asked.append(number)

    def move(self, service: str, version: str) -> None:
        """Start a container of ``version`` beside the one there is, work with both, then end the old one.

        The api has one port on the host: there the new one takes the old one's place.
        """
        self.ask()
        other = self.at(version)
        if service == "api":
            other.compose("up", "--detach", "--no-build", "--no-deps", service)
        else:
            (old,) = other.containers(service)
            other.compose(
                "up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", f"{service}=2", service
            )
            wait_until(lambda: self._healthy(service) == 2, _HEALTHY_SECONDS, f"{service} of both versions")
            self.ask()
            other.docker("stop", "--time", "30", old)
            other.docker("rm", old)
        wait_until(lambda: self._healthy(service) == 1, _HEALTHY_SECONDS, f"{service} of {version}")
        (new,) = other.containers(service)
        assert other.inspect(new)["Config"]["Image"] == f"autos-{service}:{version}"
        wait_until(self._api_answers, _HEALTHY_SECONDS, "the api")

    def _healthy(self, service: str) -> int:
        found = [self.deployment.inspect(one)["State"] for one in self.deployment.containers(service)]
        return sum(state["Health"]["Status"] == "healthy" for state in found)

    def _api_answers(self) -> bool:
        try:
            answer = httpx.get(f"{self.deployment.product.api_url}/health/ready", timeout=5, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["status"] == "ok"

    def check(self) -> None:
        """Every case that was asked for is whole, and its webhook came once."""
        product = self.deployment.product
        for number in self.asked:
            ended = product.wait_for_end(number, timeout=_END_SECONDS)
            assert (ended["status"], ended["completed_documents"]) == ("completed", _DOCUMENTS), number
            product.wait_for_webhook(f"/upgrade/{number}")
        for number in self.asked:
            assert check_files(product, number) == _DOCUMENTS
            calls = product.receiver.received(f"/upgrade/{number}")
            assert [(call.verified, call.body["data"]["status"]) for call in calls] == [(True, "completed")], number

    def check_the_whole(self) -> None:
        """No dead letter, and nothing that database, topics and store say differently."""
        now = self.at(NOW)
        assert "0 dead letter(s)" in now.compose("run", "--rm", "ops", "dead", "list")
        assert "do not match" not in now.compose("run", "--rm", "ops", "doctor", "--deep", "--settle", "0")


@pytest.fixture(scope="module")
def upgrade(
    images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, process_number: Callable[[], str]
) -> Iterator[Upgrade]:
    """The version of before, up and healthy."""
    try:
        commit = commit_before()
    except NoHistory as reason:
        pytest.skip(f"there is no version to upgrade from: {reason}")
    build_images_of(commit, images)
    # Without a key for secrets, as how-to/upgrade.md says: the version of before reads nothing that is encrypted.
    environment = {**images, "AUTOS_VERSION": TAG, "AUTOS_SECRETS_KEY": ""}
    with running_deployment(environment, tmp_path_factory.mktemp("upgrade")) as deployment:
        found = Upgrade(deployment, process_number)
        found.ask()
        for _ in range(2):
            # Once more beside the services of before, as after a rollback: it changes nothing then.
            found.at(NOW).compose("run", "--rm", "provision")
            found.ask()
        yield found


@pytest.mark.parametrize("order", _ORDERS, ids="-".join)
def test_services_of_two_versions_side_by_side_lose_nothing(upgrade: Upgrade, order: Sequence[str]) -> None:
    upgrade.ask()
    for service in order:
        upgrade.move(service, NOW)
    upgrade.check()
    for service in (*order[1:], order[0]):
        upgrade.move(service, TAG)
    upgrade.check()
    upgrade.asked.clear()
    upgrade.check_the_whole()
