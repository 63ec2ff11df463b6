"""The engine and the images, once for all tests of this folder; the deployment, once for those of a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.containers.deployment import ROOT, Deployment, running_deployment
from tests.containers.engine import NoEngine, compose_words, running_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Mapping[str, str]]:
    """The environment of docker commands; skips where no engine can be had."""
    try:
        with running_engine() as environment:
            compose_words()
            yield environment
    except NoEngine as reason:
        pytest.skip(f"no Docker engine: {reason}")


@pytest.fixture(scope="session")
def images(engine: Mapping[str, str]) -> Mapping[str, str]:
    """Builds every image, on stand-ins unless AUTOS_STAND_INS says otherwise or the real ones are there."""
    environment = {**os.environ, "AUTOS_STAND_INS": os.environ.get("AUTOS_STAND_INS", "yes"), **engine}
    done = subprocess.run(
        ["deploy/build-images"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    sys.stdout.write(done.stdout)
    return engine


@pytest.fixture(scope="module")
def deployment(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """docker-compose.yml, up and healthy."""
    with running_deployment(images, tmp_path_factory.mktemp("deployment")) as deployment:
        yield deployment
