"""The outbox relay: rows a second from table to topic, and how soon after its commit an event is consumed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import Engine

from shared.clock import utc_now
from shared.db.engine import make_engine
from shared.db.progress import outbox
from shared.events.envelope import encode
from shared.events.process_completed import JobOutcome, ProcessCompleted
from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.producer import Producer
from shared.outbox.relay import OutboxRelay, RelayHooks, RelayLimits
from shared.outbox.write import write
from shared.records import OutgoingRecord, TopicSpec
from tools.bench.figures import Figure, percentile
from tools.bench.product import BenchStack, running_servers
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_TIMEOUT = 120.0
_CHUNK = 500


def _run(plan: Plan) -> list[Figure]:
    """Rows through the outbox and its relay beside the same records by a bare producer."""
    rows, probes = plan.size(20_000, 4_000), plan.size(300, 60)
    rates: list[float] = []
    bare_rates: list[float] = []
    seconds: list[float] = []
    bare_seconds: list[float] = []
    with running_servers(plan) as stack:
        engine = make_engine(stack.database_url, application_name="autos-bench", pool_size=4)
        producer = Producer(stack.kafka)
        try:
            for _ in range(plan.rounds):
                bare_rates.append(_bare_rate(producer, _records(rows, _topic(stack))))
                rates.append(_relay_rate(engine, producer, _records(rows, _topic(stack))))
                plan.say(f"  {rates[-1]:.0f} rows/s, bare producer {bare_rates[-1]:.0f}/s")
            topic = _topic(stack)
            with _reading(stack, topic) as consumer:
                bare_seconds += _bare_latencies(producer, consumer, _records(probes, topic))
                seconds += _relay_latencies(engine, producer, consumer, _records(probes, topic))
        finally:
            producer.close()
            engine.dispose()
    return [
        Figure("relay", "rows/s", tuple(rates), tuple(bare_rates)),
        *(
            Figure(
                f"commit → consumed, {label}",
                "ms",
                (percentile(seconds, share) * 1000,),
                (percentile(bare_seconds, share) * 1000,),
                aim,
            )
            for label, share, aim in (("p50", 0.5, "< 20"), ("p99", 0.99, ""))
        ),
    ]


def _topic(stack: BenchStack) -> str:
    name = f"tools.bench.outbox.{uuid.uuid4().hex[:8]}"
    ensure_topics(stack.kafka, [TopicSpec(name, 1)], None, 1)
    return name


def _records(count: int, topic: str) -> list[OutgoingRecord]:
    now = utc_now()
    event = ProcessCompleted(
        job_id=str(uuid.uuid4()),
        process_number="1000145-91.2023.8.26.0597",
        status=JobOutcome.COMPLETED,
        total_documents=12,
        completed_documents=12,
        failed_documents=0,
        created_at=now,
        completed_at=now,
    )
    return [encode(event, topic, event_id=str(uuid.uuid4()), source="/autos/bench", time=now) for _ in range(count)]


def _bare_rate(producer: Producer, records: Sequence[OutgoingRecord]) -> float:
    """The same producer in the relay's portions, each acknowledged before the next, without a table."""
    began = time.perf_counter()
    for start in range(0, len(records), _CHUNK):
        producer.send_blocking(records[start : start + _CHUNK], _TIMEOUT)
    return len(records) / (time.perf_counter() - began)


def _relay_rate(engine: Engine, producer: Producer, records: Sequence[OutgoingRecord]) -> float:
    """Rows that wait already, from the relay's start to the mark on the last one."""
    with engine.begin() as connection:
        write(connection, outbox, records, now=utc_now())
    published = 0

    def count(number: int) -> None:
        nonlocal published
        published += number

    relay = OutboxRelay(engine, outbox, producer, RelayLimits(batch_size=_CHUNK), hooks=RelayHooks(on_published=count))
    began = time.perf_counter()
    relay.start()
    try:
        deadline = time.monotonic() + _TIMEOUT
        while published < len(records):
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"the relay published {published} of {len(records)} rows")
            time.sleep(0.001)
        return published / (time.perf_counter() - began)
    finally:
        relay.stop()


@contextmanager
def _reading(stack: BenchStack, topic: str) -> Iterator[Consumer]:
    """A consumer with the product's settings that stands at the end of the topic's one partition."""
    consumer = Consumer(consumer_config(stack.kafka, "tools.bench.outbox", group_protocol="classic"))
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        yield consumer
    finally:
        consumer.close()


def _bare_latencies(producer: Producer, consumer: Consumer, records: Sequence[OutgoingRecord]) -> list[float]:
    found = []
    for record in records:
        began = time.perf_counter()
        producer.send_blocking([record], _TIMEOUT)
        found.append(_consumed(consumer, record) - began)
    return found


def _relay_latencies(
    engine: Engine, producer: Producer, consumer: Consumer, records: Sequence[OutgoingRecord]
) -> list[float]:
    """One row at a time, from its commit on; the relay hears of it by LISTEN only, as in another process."""
    relay = OutboxRelay(engine, outbox, producer)
    relay.start()
    found = []
    try:
        for record in records:
            with engine.begin() as connection:
                write(connection, outbox, [record], now=utc_now())
            committed = time.perf_counter()
            found.append(_consumed(consumer, record) - committed)
    finally:
        relay.stop()
    return found


def _consumed(consumer: Consumer, record: OutgoingRecord) -> float:
    """When this very record was read."""
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        if dict(message.headers() or [])["ce_id"] == record.headers["ce_id"]:
            return time.perf_counter()
    raise BenchmarkFailed("a record did not arrive")


BENCHMARK = Benchmark(
    name="outbox",
    measures="the relay: rows a second, and the time from a commit to its event being consumed",
    baseline="the same records by the same producer without a table",
    run=_run,
)
