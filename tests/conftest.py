"""The fixtures that every folder uses: the servers, the whole product, fresh case numbers."""

from __future__ import annotations

import gc
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from shared.domain import cnj
from shared.domain.cnj import ProcessNumber
from tests.support import Servers, wait_until

if TYPE_CHECKING:
    from tests.product import Product


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With ``--dist loadfile``: see tests/distribution.py."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.distribution import ProductInOneWorker

    config.option.loadscopereorder = False
    return ProductInOneWorker(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a worker of several the long ones come first; alone, the quick ones do."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.distribution import place

        items.sort(key=lambda item: place(item.nodeid))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays to the end: half a million objects that each full collection would look at, for 0.3 s."""
    gc.freeze()
    gc.set_threshold(700, 10, 30)


# A machine that does other work at the same time makes any example slow now and then; that is no finding.
hypothesis.settings.register_profile("autos", deadline=None)
hypothesis.settings.load_profile("autos")


@pytest.fixture
def whole_minute() -> None:
    """For a test that expects an entity tag twice: they are renewed with each minute, so enough of this one is left."""
    # Here, so that it is loaded where the api is tested alone.
    from services.api.processes.view.link_cache import SEALED_TAG_SECONDS

    wait_until(lambda: time.time() % SEALED_TAG_SECONDS < SEALED_TAG_SECONDS - 10)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Kafka, PostgreSQL and S3, provisioned; the embedded ones, or containers with AUTOS_TEST_STACK=docker."""
    if os.environ.get("AUTOS_TEST_STACK") == "docker":
        from tests.containers.servers import container_servers

        with container_servers() as servers:
            yield servers
    else:
        from tests.embedded import embedded_servers

        with embedded_servers(tmp_path_factory.mktemp("servers") / "data") as servers:
            yield servers


@pytest.fixture(scope="session")
def process_number() -> Callable[[], ProcessNumber]:
    """Makes case numbers that are valid and that no other test has."""
    sequences = itertools.count(random.randrange(1_000_000, 8_000_000))
    return lambda: cnj.make(next(sequences), 2024, 8, 26, random.randrange(1, 10_000))


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, as ``autos up`` runs it, with short retry delays and two replicas of the API."""
    from tests.product import running_product

    with running_product(tmp_path_factory.mktemp("product") / "data", None, "--scale", "api=2") as product:
        yield product
