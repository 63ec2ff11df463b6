"""Every alert is raised once on an embedded stack, against a real Prometheus: ``make rehearse-alerts``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.alerts import scenarios
from tests.e2e.alerts.prometheus import watching
from tests.e2e.alerts.scenarios import LONG, QUICK, Rehearsal
from tests.product import running_product
from tests.support import wait_until
from tools.monitoring.rules import alert_names

pytestmark = pytest.mark.rehearsal

# Nobody listens there: an alert of Autos' own gets lost.
SETTINGS = {"AUTOS_ALERT_WEBHOOK_URL": "http://127.0.0.1:9/", "AUTOS_ALERT_INTERVAL_SECONDS": "1"}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, process_number: Callable[[], str]) -> Iterator[Rehearsal]:
    """A product of its own, watched."""
    folder = tmp_path_factory.mktemp("alerts")
    with (
        running_product(folder / "data", SETTINGS, "--scale", "api=2") as product,
        watching(product, folder / "prometheus") as prometheus,
    ):
        yield Rehearsal(product, prometheus, process_number)


def test_an_idle_stack_raises_no_alert(rehearsal: Rehearsal) -> None:
    # The first rules are evaluated before the first scrape.
    wait_until(lambda: not rehearsal.prometheus.firing(), what="no alert")


@pytest.mark.parametrize("scenario", [*QUICK, *LONG], ids=lambda scenario: scenario.__name__)
def test_a_fault_raises_its_alerts(rehearsal: Rehearsal, scenario: Callable[[Rehearsal], None]) -> None:
    scenario(rehearsal)


def test_no_alert_is_left_out() -> None:
    named = set(re.findall(r'"([A-Z]\w+)"', Path(scenarios.__file__).read_text()))
    assert named >= set(alert_names())
