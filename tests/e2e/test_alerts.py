"""Faults raise their alerts on the running product, against a real Prometheus. The others: ``make rehearse-alerts``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.alerts.prometheus import watching
from tests.e2e.alerts.scenarios import QUICK, Rehearsal
from tests.product import Product


@pytest.fixture(scope="module")
def rehearsal(
    product: Product, process_number: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rehearsal]:
    """The product of all, watched."""
    with watching(product, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield Rehearsal(product, prometheus, process_number)


@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.__name__)
def test_a_fault_raises_its_alerts(rehearsal: Rehearsal, scenario: Callable[[Rehearsal], None]) -> None:
    scenario(rehearsal)
