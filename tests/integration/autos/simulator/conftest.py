"""One simulator process for the folder; each test takes case numbers of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import httpx
import pytest

from autos.local.pdpj.control import SimulatorControl
from autos.local.pdpj.process import RunningSimulator, running_simulator
from shared.domain.cnj import ProcessNumber, make


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(environment={"AUTOS_PDPJ_ACCESS_TOKEN": "token-of-the-settings"}) as running:
        yield running


@pytest.fixture
def pdpj(simulator: RunningSimulator) -> Iterator[SimulatorControl]:
    yield simulator.control
    simulator.control.reset()


_SEQUENCE = itertools.count(1)


@pytest.fixture
def number() -> ProcessNumber:
    return make(next(_SEQUENCE), 2024, 8, 26, 77)


@pytest.fixture
def client(pdpj: SimulatorControl) -> Iterator[httpx.Client]:
    """A client of the source with a valid token."""
    headers = {"Authorization": f"Bearer {pdpj.issue_tokens().access_token}"}
    with httpx.Client(base_url=pdpj.address, headers=headers, timeout=60.0, trust_env=False) as client:
        yield client
