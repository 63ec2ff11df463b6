"""The images' health check: which heartbeats count as silent, and that an event loop's is in the metrics."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from shared.kafka.metrics import KafkaMetrics
from shared.probe import main, silent
from shared.service import beat

HEARTBEAT = "autos_event_loop_heartbeat_age_seconds"


def metrics_with(**ages: float) -> str:
    registry = CollectorRegistry()
    family = KafkaMetrics(registry).heartbeat
    for runtime, age in ages.items():
        family.labels(runtime).set(age)
    return generate_latest(registry).decode()


def test_young_heartbeats_are_well() -> None:
    assert silent(metrics_with(fetcher=0.2, planner=59.0)) == []
    assert silent("") == []


@pytest.mark.parametrize("age", [60.1, 5000.0, 1e9, float("inf"), float("nan")])
def test_an_old_heartbeat_is_named(age: float) -> None:
    assert silent(metrics_with(fetcher=age, planner=1.0)) == ['autos_consumer_heartbeat_age_seconds{runtime="fetcher"}']


async def test_the_age_of_the_event_loop_grows_while_something_blocks_it() -> None:
    registry = CollectorRegistry()
    beating = asyncio.create_task(beat(registry))
    await asyncio.sleep(0)
    assert HEARTBEAT in generate_latest(registry).decode()
    began = time.monotonic()
    while time.monotonic() - began < 0.05:
        pass
    assert silent(generate_latest(registry).decode(), oldest=0.04) == [HEARTBEAT]
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert HEARTBEAT not in generate_latest(registry).decode()


def test_nobody_there_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["http://127.0.0.1:1/metrics"]) == 1
    assert "does not answer" in capsys.readouterr().err
    assert main([]) == 2
