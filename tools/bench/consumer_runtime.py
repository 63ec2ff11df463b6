"""What the consumer runtime adds to reading a record: CPU and time against a bare poll loop over the same topic."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Final

import uvloop
from confluent_kafka import Consumer
from prometheus_client import CollectorRegistry

from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.client import kafka_consumer
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord, Record, TopicSpec
from tools.bench.figures import Figure
from tools.bench.product import BenchStack, running_servers
from tools.bench.raw_loop import cpu_seconds
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_PARTITIONS: Final = 4
_VALUE: Final = b'{"job_id": "00000000-0000-0000-0000-000000000000"}' * 8
_TIMEOUT: Final = 120.0


@dataclass(frozen=True)
class ReadRate:
    """A topic read to its end: records a second, and CPU microseconds a record."""

    rate: float
    cpu_us: float


def _run(plan: Plan) -> list[Figure]:
    """The same records through the consumer runtime and through a bare consumer."""
    count = plan.size(60_000, 15_000)
    ours: list[ReadRate] = []
    bare: list[ReadRate] = []
    with running_servers(plan) as stack:
        topic = _filled(stack, count)
        for _ in range(plan.rounds):
            bare.append(_bare(stack, topic, count))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                ours.append(runner.run(_through_runtime(stack, topic, count)))
            plan.say(
                f"  {ours[-1].rate:.0f} records/s at {ours[-1].cpu_us:.0f} µs CPU, "
                f"bare {bare[-1].rate:.0f}/s at {bare[-1].cpu_us:.0f} µs"
            )
    return [
        Figure("rate", "records/s", tuple(r.rate for r in ours), tuple(r.rate for r in bare)),
        Figure("CPU", "µs/record", tuple(r.cpu_us for r in ours), tuple(r.cpu_us for r in bare)),
        Figure("overhead", "µs/record", tuple(r.cpu_us - b.cpu_us for r, b in zip(ours, bare, strict=True))),
    ]


def _filled(stack: BenchStack, count: int) -> str:
    topic = f"bench.runtime.{uuid.uuid4().hex[:8]}"
    ensure_topics(stack.kafka, [TopicSpec(topic, _PARTITIONS)], None, 1)
    producer = Producer(stack.kafka)
    try:
        portion = 5_000
        for start in range(0, count, portion):
            producer.send_blocking(
                [OutgoingRecord(topic, b"%d" % index, _VALUE) for index in range(start, min(count, start + portion))],
                _TIMEOUT,
            )
    finally:
        producer.close()
    return topic


def _bare(stack: BenchStack, topic: str, count: int) -> ReadRate:
    """consume() in a loop; nothing is decided, nothing is handed on. Counts from the first record on."""
    consumer = Consumer(consumer_config(stack.kafka, f"bench.{uuid.uuid4().hex[:8]}"))
    try:
        consumer.subscribe([topic])
        read = 0
        began = cpu = 0.0
        deadline = time.monotonic() + _TIMEOUT
        while read < count:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"the bare loop read {read} of {count} records")
            messages = consumer.consume(500, 0.1)
            if messages and began == 0.0:
                began, cpu = time.perf_counter(), cpu_seconds()
            read += sum(1 for message in messages if not message.error() and message.value())
        return ReadRate(count / (time.perf_counter() - began), (cpu_seconds() - cpu) * 1e6 / count)
    finally:
        consumer.close()


async def _through_runtime(stack: BenchStack, topic: str, count: int) -> ReadRate:
    """A handler that does nothing. Counts from the first record that it gets."""
    producer = Producer(stack.kafka)
    everything = asyncio.Event()
    handled = 0
    began = cpu = 0.0

    async def handle(record: Record) -> Done:
        nonlocal handled, began, cpu
        if handled == 0:
            began, cpu = time.perf_counter(), cpu_seconds()
        handled += 1
        if handled == count:
            everything.set()
        return Done()

    runtime = ConsumerRuntime[Record](
        "bench",
        consumer=kafka_consumer(consumer_config(stack.kafka, f"bench.{uuid.uuid4().hex[:8]}")),
        topics=[topic],
        handling=Handling(decode=lambda record: record, handler=handle, dead_letter=dead.to_topic(f"{topic}.dead")),
        sink=ProducerSink(producer),
        metrics=KafkaMetrics(CollectorRegistry()),
    )
    running = asyncio.ensure_future(runtime.run())
    waiting = asyncio.ensure_future(everything.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        took, used = time.perf_counter() - began, cpu_seconds() - cpu
        if not everything.is_set():
            raise BenchmarkFailed(f"the runtime handled {handled} of {count} records")
        return ReadRate(count / took, used * 1e6 / count)
    finally:
        waiting.cancel()
        runtime.stop()
        await running
        await asyncio.to_thread(producer.close)


BENCHMARK = Benchmark(
    name="consumer_runtime",
    measures="the consumer runtime with a handler that does nothing, 400 bytes a record",
    baseline="a bare confluent-kafka loop over the same topic",
    run=_run,
)
