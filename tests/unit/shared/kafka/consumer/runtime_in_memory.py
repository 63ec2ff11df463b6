"""The runtime under test with a broker in memory, and the small records that its tests use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from random import Random
from typing import Any

from prometheus_client import CollectorRegistry

from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.metrics import KafkaMetrics
from shared.records import OutgoingRecord, Record
from tests.support import wait_until_async
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker
from tests.unit.shared.kafka.consumer.fake_consumer import FakeConsumer
from tests.unit.shared.kafka.consumer.fake_producer import FakeProducer

_HANDLING = {field.name for field in fields(Handling)}
_LIMITS = {field.name for field in fields(RuntimeLimits)}


def out(record: Record) -> OutgoingRecord:
    return OutgoingRecord("out", f"{record.partition}/{record.offset}".encode(), b"")


def letter(record: Record, error: Exception) -> OutgoingRecord:
    return replace(dead.to_topic("dead")(record, error), key=f"{record.partition}/{record.offset}".encode())


def log(*values: bytes) -> list[tuple[int, bytes]]:
    return list(enumerate(values))


class RuntimeInMemory:
    """A broker, and the runtime under test."""

    def __init__(self, *partitions: list[tuple[int, bytes]]) -> None:
        self.broker = FakeBroker(list(partitions))
        self.producer = FakeProducer(self.broker, Random(1))
        self.consumers: list[FakeConsumer] = []
        self.registry = CollectorRegistry()
        self.metrics = KafkaMetrics(self.registry)

    def make(self, on_commit: Any) -> FakeConsumer:
        self.consumers.append(FakeConsumer(self.broker, on_commit))
        return self.consumers[-1]

    def runtime(self, handler: Callable[[Record], Any], **given: Any) -> ConsumerRuntime[Record]:
        """``given``: fields of Handling and RuntimeLimits, and the runtime's own arguments."""
        arguments: dict[str, Any] = {
            "decode": lambda record: record,
            "dead_letter": letter,
            "sink": ProducerSink(self.producer),  # type: ignore[arg-type]
            "consumer": self.make,
            "first_backoff_seconds": 0.002,
            "commit_seconds": 0.01,
            "poll_seconds": 0.002,
            "shutdown_seconds": 5.0,
            **given,
        }
        handling = {name: arguments.pop(name) for name in _HANDLING & arguments.keys()}
        limits = {name: arguments.pop(name) for name in _LIMITS & arguments.keys()}
        return ConsumerRuntime[Record](
            "test",
            topics=[TOPIC],
            handling=Handling(handler=handler, **handling),
            limits=RuntimeLimits(**limits),
            metrics=self.metrics,
            **arguments,
        )

    @asynccontextmanager
    async def running(self, handler: Callable[[Record], Any], **given: Any) -> AsyncIterator[ConsumerRuntime[Record]]:
        runtime = self.runtime(handler, **given)
        task = asyncio.get_running_loop().create_task(runtime.run())
        try:
            yield runtime
        finally:
            runtime.stop()
            await task
        assert self.broker.violations == []

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"runtime": "test", **labels}) or 0.0

    async def until_committed(self, offset: int, partition: int = 0) -> None:
        await wait_until_async(lambda: self.broker.committed.get((TOPIC, partition), (0, ""))[0] == offset)
