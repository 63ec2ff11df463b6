"""Producer, transactional sink and offset metadata against the real broker."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields
from itertools import groupby
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as Client

from services.downloader.planner.transactional_sink import TransactionalSink
from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.admin import ensure_topics, lag, wait_for_topics
from shared.kafka.config import consumer_config, transactional_config
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.client import kafka_consumer
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.consumer.sink import Sink
from shared.kafka.failures import ProducerFailed, RecordRefused
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord, Record, TopicSpec
from tests.integration.kafka.conftest import Topic
from tests.support import wait_until, wait_until_async

_LIMITS = {field.name for field in fields(RuntimeLimits)}


def runtime(bench: Topic, sink: Sink, handler: Any, **given: Any) -> ConsumerRuntime[Record]:
    """``given``: fields of Handling and RuntimeLimits."""
    metrics = given.pop("metrics", None)
    limits = {name: given.pop(name) for name in _LIMITS & given.keys()}
    handling = {"decode": lambda record: record, "dead_letter": dead.to_topic(f"{bench.topic}.dead"), **given}
    return ConsumerRuntime(
        "test",
        consumer=kafka_consumer(consumer_config(bench.bootstrap, bench.group)),
        topics=[bench.topic],
        handling=Handling(handler=handler, **handling),
        sink=sink,
        limits=RuntimeLimits(**limits),
        metrics=metrics,
    )


@asynccontextmanager
async def running(made: ConsumerRuntime[Record]) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(made.run())
    try:
        yield
    finally:
        made.stop()
        await task


async def fed(bench: Topic, *values: bytes) -> None:
    await bench.producer.send([OutgoingRecord(bench.topic, value, value) for value in values])


async def written(bench: Topic, expected: int, suffix: str = ".out") -> list[bytes]:
    return await asyncio.to_thread(bench.written, expected, 120.0, suffix)


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_commits_and_transactions_carry_offset_metadata(bench: Topic, protocol: str) -> None:
    consumer = Consumer(consumer_config(bench.bootstrap, bench.group, group_protocol=protocol))
    consumer.subscribe([bench.topic])
    try:
        wait_until(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == 6, what="the assignment")
        consumer.commit(offsets=[TopicPartition(bench.topic, 0, 7, metadata="a1.one")], asynchronous=False)
        client = Client(transactional_config(bench.bootstrap, bench.group))
        client.init_transactions(10)
        client.begin_transaction()
        client.send_offsets_to_transaction(
            [TopicPartition(bench.topic, 1, 9, metadata="a1.two")], consumer.consumer_group_metadata(), 10
        )
        client.commit_transaction(10)
        found = consumer.committed([TopicPartition(bench.topic, n) for n in (0, 1)], timeout=60)
    finally:
        consumer.close()
    assert [(item.offset, item.metadata) for item in found] == [(7, "a1.one"), (9, "a1.two")]


async def test_send_returns_when_every_record_is_acknowledged(bench: Topic) -> None:
    values = [b"%d" % n for n in range(5_000)]
    await bench.producer.send(OutgoingRecord(f"{bench.topic}.out", value, value) for value in values)
    assert Counter(await written(bench, 5_000)) == Counter(values)


async def test_records_of_one_key_keep_their_order_over_threads_and_coroutines(bench: Topic) -> None:
    topic = f"{bench.topic}.dead"
    for n in range(20):
        if n % 2:
            await bench.producer.send([OutgoingRecord(topic, b"%d" % n, b"")])
        else:
            await asyncio.to_thread(bench.producer.send_blocking, [OutgoingRecord(topic, b"%d" % n, b"")], 10)
    assert await written(bench, 20, ".dead") == [b"%d" % n for n in range(20)]


async def test_a_record_that_is_too_large_is_refused_and_its_neighbours_are_not(bench: Topic) -> None:
    large = OutgoingRecord(f"{bench.topic}.out", b"large", b"x" * 3_000_000)
    with pytest.raises(RecordRefused):
        await bench.producer.send([OutgoingRecord(f"{bench.topic}.out", b"small", b""), large])
    with pytest.raises(RecordRefused):
        await asyncio.to_thread(bench.producer.send_blocking, [large], 10)
    assert await written(bench, 1) == [b"small"]


def test_send_blocking_says_when_the_broker_is_away() -> None:
    producer = Producer("127.0.0.1:9")
    with pytest.raises(InfrastructureAway):
        producer.send_blocking([OutgoingRecord("any", b"", b"")], 0.2)
    before = threading.active_count()
    producer.close(0.1)
    assert threading.active_count() < before


async def test_topics_are_made_once_widened_and_never_narrowed(bench: Topic) -> None:
    def ensure(partitions: int) -> int:
        ensure_topics(bench.bootstrap, [TopicSpec(bench.topic, partitions)])
        consumer = Consumer(consumer_config(bench.bootstrap, "any", group_protocol="classic"))
        try:
            return len(consumer.list_topics(bench.topic, timeout=60).topics[bench.topic].partitions)
        finally:
            consumer.close()

    assert [ensure(partitions) for partitions in (6, 8, 3)] == [6, 8, 8]
    with pytest.raises(InfrastructureAway, match=r"no\.such\.topic"):
        wait_for_topics(bench.bootstrap, ["no.such.topic"], timeout=0.2)
    assert lag(bench.bootstrap, "no-such-group") == {}


async def test_poison_goes_to_the_dead_topic_with_its_headers_and_the_lag_ends_at_zero(bench: Topic) -> None:
    async def handler(record: Record) -> Done:
        return Done([OutgoingRecord(f"{bench.topic}.out", record.value or b"", b"")])

    def decode(record: Record) -> Record:
        if record.value == b"bad":
            raise PoisonRecord("not_json")
        return record

    async with running(runtime(bench, ProducerSink(bench.producer), handler, decode=decode)):
        await fed(bench, b"a", b"bad", b"b")
        assert sorted(await written(bench, 2)) == [b"a", b"b"]
        assert await written(bench, 1, ".dead") == [b"bad"]
    assert set(lag(bench.bootstrap, bench.group).values()) == {0}


def shown_lag(metrics: KafkaMetrics) -> float:
    (family,) = metrics.lag.collect()
    return sum(sample.value for sample in family.samples)


async def test_what_a_transaction_leaves_behind_its_records_is_no_lag(bench: Topic) -> None:
    async def handler(record: Record) -> Done:
        return Done([OutgoingRecord(f"{bench.topic}.out", record.value or b"", b"")])

    client = Client(transactional_config(bench.bootstrap, f"{bench.topic}.writer"))
    client.init_transactions(20)
    for value in (b"a", b"b"):
        client.begin_transaction()
        for partition in range(6):
            client.produce(bench.topic, value, value, partition)
        client.commit_transaction(20)
    metrics = KafkaMetrics()
    made = runtime(bench, ProducerSink(bench.producer), handler, metrics=metrics)
    async with running(made):
        assert len(await written(bench, 12)) == 12
        # As if it had been measured before; the next look corrects it.
        metrics.lag.labels("test", bench.topic).set(99)
        await wait_until_async(lambda: shown_lag(metrics) != 99, what="another look at the lag")
        assert shown_lag(metrics) == 0
    assert lag(bench.bootstrap, bench.group) == {(bench.topic, number): 0 for number in range(6)}
    client.begin_transaction()
    client.produce(bench.topic, b"c", b"c", 0)
    client.commit_transaction(20)
    # A marker, the record and its marker.
    assert lag(bench.bootstrap, bench.group)[bench.topic, 0] == 2
    # A group that has read nothing yet is behind by everything that is there.
    never = lag(bench.bootstrap, f"{bench.group}.never", topics=[bench.topic])
    assert never == {(bench.topic, 0): 6, **{(bench.topic, number): 4 for number in range(1, 6)}}


async def test_a_transaction_of_ten_thousand_records_is_read_in_pieces_and_all_or_nothing(bench: Topic) -> None:
    tries: list[int] = []
    alive = peak = 0

    def many() -> Iterator[OutgoingRecord]:
        nonlocal peak
        for n in range(10_000):
            if n == 7_000 and len(tries) == 1:
                raise InfrastructureAway("database", retry_in=0.01)
            peak = max(peak, tracemalloc.get_traced_memory()[0] - alive)
            yield OutgoingRecord(f"{bench.topic}.out", b"%d" % n, b"x" * 200)

    async def handler(record: Record) -> Done:
        nonlocal alive
        tries.append(record.offset)
        alive = tracemalloc.get_traced_memory()[0]
        return Done(many())

    tracemalloc.start()
    try:
        async with running(runtime(bench, TransactionalSink(bench.bootstrap, bench.group), handler)):
            await fed(bench, b"plan")
            keys = await written(bench, 10_000)
    finally:
        tracemalloc.stop()
    assert len(tries) == 2, "the outage in the middle rolled the first try back"
    assert Counter(keys) == Counter(b"%d" % n for n in range(10_000))
    # 2 MB of values went through; what Python holds of them at a time is a small part.
    assert peak < 4_000_000


async def test_emits_of_both_kinds_share_a_transaction_and_a_failed_one_spoils_none(
    bench: Topic,
) -> None:
    def out(name: bytes) -> OutgoingRecord:
        return OutgoingRecord(f"{bench.topic}.out", name, b"")

    async def slowly(name: bytes) -> AsyncIterator[OutgoingRecord]:
        for half in (b"/1", b"/2"):
            await asyncio.sleep(0)
            yield out(name + half)

    def failing() -> Iterator[OutgoingRecord]:
        yield out(b"never")
        raise LookupError("a bug")

    async def handler(record: Record) -> Done:
        if record.value == b"broken":
            return Done(failing())
        if record.value == b"slow":
            return Done(slowly(b"slow"))
        if record.value == b"large":
            return Done([OutgoingRecord(f"{bench.topic}.out", b"large", b"x" * 3_000_000)])
        return Done([out(record.value or b"")])

    sink = TransactionalSink(bench.bootstrap, bench.group)
    async with running(runtime(bench, sink, handler, first_backoff_seconds=0.01)):
        await fed(
            bench,
            *[b"broken" if n == 3 else b"slow" if n == 5 else b"large" if n == 7 else b"%d" % n for n in range(20)],
        )
        keys = await written(bench, 19)
        assert sorted(await written(bench, 2, ".dead")) == [b"broken", b"large"]
    expected = [b"%d" % n for n in range(20) if n not in (3, 5, 7)] + [b"slow/1", b"slow/2"]
    assert sorted(keys) == sorted(expected)


async def test_a_transaction_with_many_records_takes_no_further_answer(bench: Topic) -> None:
    """Answers that are ready together, of 3,000 records each: two transactions, since one takes no more at 4,000."""
    committed: list[int] = []

    class Counting(Client):
        def commit_transaction(self, *arguments: Any) -> None:
            super().commit_transaction(*arguments)
            committed.append(1)

    def many(name: bytes) -> Iterator[OutgoingRecord]:
        return (OutgoingRecord(f"{bench.topic}.out", name + b"/%d" % n, b"") for n in range(3_000))

    async def lazily(name: bytes) -> AsyncIterator[OutgoingRecord]:
        for record in many(name):
            yield record

    ready = asyncio.Barrier(4)

    async def handler(record: Record) -> Done:
        await ready.wait()
        name = record.value or b""
        return Done(lazily(name) if name == b"1" else many(name))

    client = Counting(transactional_config(bench.bootstrap, bench.group))
    sink = TransactionalSink(bench.bootstrap, bench.group, client=client)
    async with running(runtime(bench, sink, handler)):
        await fed(bench, *[b"%d" % n for n in range(4)])
        keys = await written(bench, 12_000)
        await wait_until_async(lambda: sum(lag(bench.bootstrap, bench.group).values()) == 0, what="the commits")
    assert Counter(keys) == Counter(b"%d/%d" % (name, n) for name in range(4) for n in range(3_000))
    # The first of the four may begin a transaction before the others are there.
    assert len(committed) in (2, 3)


class Watched(Client):
    """A client that notes in what order records are acknowledged and transactions aborted."""

    noted: list[str]

    def produce(self, topic: str, on_delivery: Any = None, **more: Any) -> None:  # type: ignore[override]
        def acknowledged(error: Any, message: Any) -> None:
            self.noted.append("refused" if error else "acknowledged")
            on_delivery(error, message)

        super().produce(topic, on_delivery=acknowledged, **more)

    def abort_transaction(self, *timeout: float) -> None:
        self.noted.append("abort")
        super().abort_transaction(*timeout)


async def test_what_a_failed_transaction_wrote_is_acknowledged_before_it_is_aborted(bench: Topic) -> None:
    def failing() -> Iterator[OutgoingRecord]:
        # More than are made before the first of them is produced.
        for _ in range(1_001):
            yield OutgoingRecord(f"{bench.topic}.out", b"never", b"")
        raise LookupError("a bug")

    async def handler(record: Record) -> Done:
        return Done(failing())

    client = Watched(transactional_config(bench.bootstrap, bench.group))
    client.noted = []
    sink = TransactionalSink(bench.bootstrap, bench.group, client=client)
    async with running(runtime(bench, sink, handler, first_backoff_seconds=0.01)):
        await fed(bench, b"broken")
        assert await written(bench, 1, ".dead") == [b"broken"]
    # Otherwise the abort can overtake the registration of its partitions, which ends the client (librdkafka 4849).
    assert [word for word, _ in groupby(client.noted)] == [*["acknowledged", "abort"] * 4, "acknowledged"]


async def test_a_transaction_that_outlasts_its_time_is_not_seen_and_is_done_again(
    bench: Topic,
) -> None:
    stalls = [True]

    def stalling() -> Iterator[OutgoingRecord]:
        yield OutgoingRecord(f"{bench.topic}.out", b"1", b"")
        if stalls:
            stalls.clear()
            time.sleep(5)  # longer than the transaction may last and the broker's look at it
        yield OutgoingRecord(f"{bench.topic}.out", b"2", b"")

    async def handler(record: Record) -> Done:
        return Done(stalling())

    first = runtime(bench, TransactionalSink(bench.bootstrap, bench.group, timeout_ms=1_000), handler)
    task = asyncio.get_running_loop().create_task(first.run())
    await fed(bench, b"plan")
    await wait_until_async(lambda: not stalls, what="the transaction stalls")
    reading = asyncio.get_running_loop().create_task(written(bench, 2))
    await asyncio.wait({task, reading}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        # Fenced by the time-out: as its supervisor would, start again with the same id.
        with pytest.raises(ProducerFailed):
            task.result()
        async with running(runtime(bench, TransactionalSink(bench.bootstrap, bench.group), handler)):
            keys = await reading
    else:
        keys = await reading
        first.stop()
        await task
    assert sorted(keys) == [b"1", b"2"]
    assert sorted(await written(bench, 2)) == [b"1", b"2"]


async def test_a_second_process_with_the_same_transactional_id_ends_the_first(bench: Topic) -> None:
    async def handler(record: Record) -> Done:
        return Done([OutgoingRecord(f"{bench.topic}.out", record.value or b"", b"")])

    first = runtime(bench, TransactionalSink(bench.bootstrap, bench.group), handler)
    task = asyncio.get_running_loop().create_task(first.run())
    await fed(bench, b"one")
    assert await written(bench, 1) == [b"one"]
    usurper = Client(transactional_config(bench.bootstrap, bench.group))
    await asyncio.to_thread(usurper.init_transactions, 10)
    await fed(bench, b"two")
    with pytest.raises(ProducerFailed):
        await asyncio.wait_for(task, 20)
    async with running(runtime(bench, TransactionalSink(bench.bootstrap, bench.group), handler)):
        assert sorted(await written(bench, 2)) == [b"one", b"two"]
