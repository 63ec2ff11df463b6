"""A downloader in the test's own event loop, on real servers and the PDPJ simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from autos.local.pdpj.control import SimulatorControl
from shared.domain.cnj import ProcessNumber
from tests.integration.downloader.workers import Workers
from tests.simulated import simulator
from tests.support import Servers

__all__ = ["bench", "pdpj", "simulator"]


@pytest.fixture
def pdpj(simulator: SimulatorControl) -> Iterator[SimulatorControl]:
    """The simulator as after its start."""
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture
async def bench(
    servers: Servers, pdpj: SimulatorControl, process_number: Callable[[], ProcessNumber], tmp_path: Path
) -> AsyncIterator[Workers]:
    made = Workers(servers, pdpj, process_number, tmp_path)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
