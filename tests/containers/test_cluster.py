"""The short form of the cluster's chaos; the long one is ``make chaos-cluster``."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping

import pytest

from tests.containers.cluster import rounds
from tests.containers.cluster.deployment import running_cluster
from tests.containers.cluster.faults import BROKERS, Cluster, NotHere
from tests.containers.cluster.troubles import Trouble, short_list

# The first test waits for the engine, the images and the containers.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]

SEED = int(os.environ.get("AUTOS_CHAOS_SEED") or random.randrange(1_000_000))


@pytest.fixture(scope="module")
def cluster(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """deploy/compose/cluster.yml over docker-compose.yml, up and healthy."""
    with running_cluster(images, tmp_path_factory.mktemp("cluster")) as deployment:
        yield Cluster(deployment)


def test_records_have_three_copies_and_commits_a_second_one(cluster: Cluster) -> None:
    assert cluster.controller() in BROKERS
    assert cluster.is_in_sync()
    assert "3 broker(s)" in cluster.deployment.compose("run", "--rm", "ops", "doctor")


@pytest.mark.parametrize("trouble", short_list(), ids=lambda trouble: trouble.name)
def test_nothing_is_lost(cluster: Cluster, trouble: Trouble) -> None:
    seed = SEED + sum(map(ord, trouble.name))
    try:
        outcome = rounds.run(cluster, trouble, seed)
    except NotHere as reason:
        pytest.skip(f"AUTOS_CHAOS_SEED={SEED}: this machine cannot do it: {reason}")
    print(f"AUTOS_CHAOS_SEED={SEED}: {outcome}")  # noqa: T201
