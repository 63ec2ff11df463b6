"""Partitions that go and come back, and the commits at their end, with the broker in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from shared.kafka.consumer.handling import Done
from shared.records import Record
from tests.support import wait_until, wait_until_async
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker
from tests.unit.shared.kafka.consumer.fake_consumer import FakeConsumer, FakeMessage
from tests.unit.shared.kafka.consumer.runtime_in_memory import RuntimeInMemory, log, out


class RejoinsInOnePoll(FakeConsumer):
    """Gives all up and gets it back within one poll, as an eager member of librdkafka does."""

    def __init__(self, broker: FakeBroker, on_commit: Any, *, in_a_wait: bool) -> None:
        super().__init__(broker, on_commit)
        self._in_a_wait = in_a_wait
        """In a poll that waits for records; else in one that asks what else is at hand."""
        self.inside = threading.Event()
        self.go_on = threading.Event()

    def poll(self, timeout: float) -> FakeMessage | None:
        read = self.positions.get((TOPIC, 0), 0) > 0
        if read and not self.inside.is_set() and (timeout > 0) is self._in_a_wait:
            self.inside.set()
            wait_until(self.go_on.is_set, what="the end of the poll")
            keys = set(self.positions)
            self.give_up(keys)
            self._broker.owner |= dict.fromkeys(keys, self)
            self._assigned(self, [TopicPartition(*key) for key in keys])
            return None
        return super().poll(timeout)


async def test_a_commit_that_was_ordered_before_a_rebalance_does_not_set_the_group_back() -> None:
    bench = RuntimeInMemory(log(b"", b""))
    consumers: list[RejoinsInOnePoll] = []

    def make(on_commit: Any) -> FakeConsumer:
        consumers.append(RejoinsInOnePoll(bench.broker, on_commit, in_a_wait=True))
        return consumers[0]

    async def handler(record: Record) -> Done:
        if record.offset == 0:
            # Its commit is ordered while the poll thread waits in the poll that rebalances.
            await wait_until_async(consumers[0].inside.is_set)
        else:
            consumers[0].go_on.set()
            await wait_until_async(lambda: bench.sample("autos_consumer_partitions_ended_total", how="revoked") == 1)
        # An answer that can be read once: the next handler begins when this record is finished, and not before.
        return Done(iter([out(record)]))

    async with bench.running(handler, consumer=make, max_in_flight=1, commit_seconds=3600):
        await bench.until_committed(2)
    assert bench.broker.committed[TOPIC, 0] == (2, "")
    assert set(bench.broker.handled.values()) <= {1}


async def test_what_was_read_before_a_rebalance_is_handled_once_after_it() -> None:
    bench = RuntimeInMemory(log(b"", b"", b""))

    def make(on_commit: Any) -> FakeConsumer:
        consumer = RejoinsInOnePoll(bench.broker, on_commit, in_a_wait=False)
        consumer.go_on.set()
        return consumer

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    reported: list[int] = []

    async with bench.running(handler, consumer=make) as runtime:
        read = runtime.read

        def watched(records: Sequence[Record], group_metadata: Any) -> None:
            reported.extend(record.offset for record in records)
            read(records, group_metadata)

        runtime.read = watched  # type: ignore[method-assign]
        await bench.until_committed(3)
    # A record that came twice would end the runtime when it is finished by then (OffsetsWentBack).
    assert reported == [0, 1, 2]


class Refuses(FakeConsumer):
    """Two commits that are waited for are refused: the first as a whole, the next for its last partition."""

    refused = 0

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        if asynchronous or self.refused == 2:
            return super().commit(offsets=offsets, asynchronous=asynchronous)
        self.refused += 1
        if self.refused == 1:
            raise KafkaException(KafkaError(KafkaError.STALE_MEMBER_EPOCH))
        super().commit(offsets=offsets[:-1], asynchronous=False)
        return [*offsets[:-1], Refused(offsets[-1])]


class Refused:
    """A partition as the client returns it when its commit was refused."""

    def __init__(self, asked: TopicPartition) -> None:
        self.topic, self.partition = asked.topic, asked.partition
        self.error = KafkaError(KafkaError.STALE_MEMBER_EPOCH)


async def test_a_commit_that_is_refused_as_partitions_go_is_repeated() -> None:
    bench = RuntimeInMemory(log(b""), log(b""))
    consumers: list[Refuses] = []

    def make(on_commit: Any) -> FakeConsumer:
        consumers.append(Refuses(bench.broker, on_commit))
        return consumers[0]

    running: set[int] = set()

    async def handler(record: Record) -> Done:
        running.add(record.partition)
        await wait_until_async(lambda: bench.sample("autos_consumer_partitions_ended_total", how="revoked") == 2)
        return Done([out(record)])

    async with bench.running(handler, consumer=make, commit_seconds=3600):
        await wait_until_async(lambda: running == {0, 1})
        # Another member that wants both, and never reads them.
        bench.broker.members.insert(0, FakeConsumer(bench.broker, lambda *_: None))
        bench.broker.wanted = lambda member: set()  # type: ignore[method-assign]
        await bench.until_committed(1)
        await bench.until_committed(1, partition=1)
    assert consumers[0].refused == 2
    assert bench.sample("autos_consumer_commit_failures_total") == 2


async def test_the_last_commit_before_the_end_is_repeated_when_it_is_refused() -> None:
    bench = RuntimeInMemory(log(b""))
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def handler(record: Record) -> Done:
        begun.set()
        await stopped.wait()
        return Done([out(record)])

    async with bench.running(handler, commit_seconds=3600) as runtime:
        await begun.wait()
        runtime.stop()
        bench.broker.refuse_commits = 2
        stopped.set()
    assert bench.broker.committed[TOPIC, 0] == (1, "")
