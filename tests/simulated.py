"""The PDPJ simulator as a fixture: one process for all tests of a session that import it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autos.local.pdpj.control import SimulatorControl
from autos.local.pdpj.process import running_simulator

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorControl]:
    with running_simulator() as running:
        yield running.control


@pytest.fixture
def pdpj(simulator: SimulatorControl) -> SimulatorControl:
    """The simulator as after its start, with the token of these tests."""
    simulator.reset()
    simulator.allow_tokens(access=[TOKEN])
    return simulator
