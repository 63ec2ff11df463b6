"""A system with nothing to do has no lag, for the operator and for what scrapes the metrics."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx
import psutil
import pytest

from tests.e2e.journey import ask, autos
from tests.product import Product
from tests.support import wait_until

_SERVICES: Final = ("downloader", "status", "notifier")
_SECONDS: Final = 90.0
"""Lag is measured every 5 s, and another test of the same product may have left work behind."""


def test_an_idle_system_has_no_lag(product: Product, process_number: Callable[[], str]) -> None:
    """Work leaves markers of transactions behind the last records; they are nothing that waits."""
    number = process_number()
    product.simulator.put_case(number, documents=6, size=1_000)
    ask(product, number, webhook_url=product.receiver.url("/idle"))
    assert product.wait_for_end(number)["status"] == "completed"
    product.wait_for_webhook("/idle")

    def behind() -> list[str]:
        listed = autos(product, "topics")
        assert listed.returncode == 0, listed.stderr
        # Subscribers of other tests have groups of their own.
        groups = [line for line in listed.stdout.splitlines() if line.startswith("group autos.")]
        assert groups
        return [line for line in groups if not line.endswith(": 0 behind")]

    wait_until(lambda: not behind(), _SECONDS, "groups without lag")
    for service in _SERVICES:
        wait_until(partial(_has_no_lag, product, service), _SECONDS, f"no lag of {service}")
    wait_until(lambda: _values(product, "status", "autos_status_lag_seconds") == {0.0}, _SECONDS, "no lag in seconds")


@pytest.mark.skipif(sys.platform != "linux", reason="policies of the scheduler are Linux's")
def test_only_the_api_may_take_a_processor_from_what_runs(product: Product) -> None:
    """No thread of the others, those of their libraries in Rust and C included, interrupts whoever runs."""
    policies = {
        service: {os.sched_getscheduler(thread.id) for thread in psutil.Process(product.pid(service)).threads()}
        for service in ("api", *_SERVICES)
    }
    assert policies == {"api": {os.SCHED_OTHER}, **{service: {os.SCHED_BATCH} for service in _SERVICES}}


def _has_no_lag(product: Product, service: str) -> bool:
    return _values(product, service, "autos_consumer_lag") == {0.0}


def _values(product: Product, service: str, metric: str) -> set[float]:
    """The values that Prometheus would scrape."""
    port = psutil.Process(product.pid(service)).environ()["AUTOS_METRICS_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).raise_for_status().text
    return {float(value) for value in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.M)}
