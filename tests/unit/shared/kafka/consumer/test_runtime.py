"""The runtime's rules one by one, with the broker in memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.committable_offsets import OffsetsWentBack
from shared.kafka.consumer.due_times import backoff
from shared.kafka.consumer.gathered_answers import GatherSeconds
from shared.kafka.consumer.handling import Done
from shared.kafka.consumer.loop_calls import LoopGone
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.failures import ProducerFailed, RecordRefused
from shared.records import OutgoingRecord, Record
from tests.support import wait_until, wait_until_async
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker
from tests.unit.shared.kafka.consumer.fake_consumer import FakeConsumer, FakeMessage
from tests.unit.shared.kafka.consumer.fake_producer import FakeProducer
from tests.unit.shared.kafka.consumer.runtime_in_memory import RuntimeInMemory, log, out


async def test_a_poison_record_goes_to_the_dead_topic_and_the_partition_moves_on() -> None:
    bench = RuntimeInMemory(log(b"good", b"bad", b"good"))

    def decode(record: Record) -> Record:
        if record.value == b"bad":
            raise PoisonRecord("not_json")
        return record

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(handler, decode=decode):
        await bench.until_committed(3)
    assert bench.broker.written == {("out", b"0/0"): 1, ("dead", b"0/1"): 1, ("out", b"0/2"): 1}
    assert bench.sample("autos_consumer_records_handled_total", outcome="poison") == 1


def test_a_dead_letter_keeps_key_value_and_headers_and_tells_why() -> None:
    record = Record(TOPIC, 2, 7, b"key", b"{", {"ce_id": b"1"})
    made = dead.to_topic("work.dead")(record, PoisonRecord("wrong_schema", "job_id"))
    assert (made.topic, made.key, made.value) == ("work.dead", b"key", b"{")
    assert made.headers == {
        "ce_id": b"1",
        "autos_error": b"wrong_schema",
        "autos_error_detail": b"job_id",
        "autos_origin": b"work/2/7",
    }
    # Of any other exception its class, never its text: that could hold what the record held.
    assert dead.to_topic("d")(record, KeyError("someone's name")).headers["autos_error_detail"] == b"KeyError"


async def test_an_unexpected_exception_gets_three_more_tries_then_the_dead_topic() -> None:
    bench = RuntimeInMemory(log(b"broken", b"good"))
    tries: list[int] = []

    async def handler(record: Record) -> Done:
        tries.append(record.offset)
        if record.value == b"broken":
            raise LookupError("a bug")
        return Done([out(record)])

    async with bench.running(handler):
        await bench.until_committed(2)
    assert tries.count(0) == 4
    assert bench.broker.written == {("dead", b"0/0"): 1, ("out", b"0/1"): 1}
    assert bench.sample("autos_consumer_records_handled_total", outcome="handler_error") == 1


async def test_an_outage_holds_records_uncounted_and_is_probed_by_a_few() -> None:
    bench = RuntimeInMemory(log(*[b""] * 200))
    away = True
    tried: set[int] = set()

    async def handler(record: Record) -> Done:
        tried.add(record.offset)
        if away:
            raise InfrastructureAway("database", retry_in=0.002)
        return Done([out(record)])

    async with bench.running(handler, max_in_flight=4):
        await wait_until_async(lambda: bench.sample("autos_consumer_held") >= 4)
        calls = len(tried)
        assert calls <= 8  # four held, four that were in flight when they were
        away = False
        await bench.until_committed(200)
    assert {key for key, _ in bench.broker.written.items()} == {("out", f"0/{n}".encode()) for n in range(200)}
    assert bench.sample("autos_consumer_held") == 0


async def test_a_held_record_lets_other_groups_go_on() -> None:
    bench = RuntimeInMemory(log(b"stuck", b"", b"", b""))
    back = asyncio.Event()

    async def handler(record: Record) -> Done:
        if record.value == b"stuck" and not back.is_set():
            raise InfrastructureAway("source", retry_in=0.01)
        return Done([out(record)])

    async with bench.running(handler, group_of=lambda record: record.value.decode(), per_group=1, max_in_flight=2):
        await wait_until_async(lambda: len(bench.broker.written) == 3)
        await wait_until_async(lambda: "a1." in bench.broker.committed.get((TOPIC, 0), (0, ""))[1])
        assert bench.broker.committed[TOPIC, 0][0] == 0
        back.set()
        await bench.until_committed(4)


async def test_a_broker_that_does_not_acknowledge_repeats_the_write_not_the_handler() -> None:
    bench = RuntimeInMemory(log(b""))
    bench.producer.away = 3
    calls: list[int] = []

    async def handler(record: Record) -> Done:
        calls.append(record.offset)
        return Done([out(record)])

    async with bench.running(handler):
        await bench.until_committed(1)
    assert calls == [0]


async def test_an_emit_that_can_be_read_once_is_made_anew_by_the_handler() -> None:
    bench = RuntimeInMemory(log(b""))
    bench.producer.away = 2
    calls: list[int] = []

    async def handler(record: Record) -> Done:
        calls.append(record.offset)
        return Done(out(each) for each in [record])

    async with bench.running(handler):
        await bench.until_committed(1)
    assert calls == [0, 0, 0]
    assert bench.broker.written == {("out", b"0/0"): 1}


async def test_a_dead_letter_that_is_too_large_is_written_without_its_value() -> None:
    bench = RuntimeInMemory(log(b"x" * 100, b""))

    class Refusing(FakeProducer):
        async def send(self, records: Any) -> None:
            sent = list(records)
            if any(len(record.value or b"") > 50 for record in sent):
                raise RecordRefused("MSG_SIZE_TOO_LARGE")
            assert all(record.headers.get(dead.VALUE_LEFT_OUT) or record.topic == "out" for record in sent)
            await super().send(sent)

    def decode(record: Record) -> Record:
        if record.value:
            raise PoisonRecord("not_json")
        return record

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    sink = ProducerSink(Refusing(bench.broker, Random(1)))  # type: ignore[arg-type]
    async with bench.running(handler, decode=decode, sink=sink):
        await bench.until_committed(2)
    assert bench.broker.written == {("dead", b"0/0"): 1, ("out", b"0/1"): 1}


async def test_at_most_so_many_of_a_group_and_in_all_are_in_flight() -> None:
    bench = RuntimeInMemory(log(*[b"a"] * 30 + [b"b"] * 30), log(*[b"c"] * 30))
    running: dict[bytes, int] = {}
    most: dict[str, int] = {"group": 0, "all": 0}

    async def handler(record: Record) -> Done:
        assert record.value is not None
        running[record.value] = running.get(record.value, 0) + 1
        most["group"] = max(most["group"], running[record.value])
        most["all"] = max(most["all"], sum(running.values()))
        await asyncio.sleep(0.001)
        running[record.value] -= 1
        return Done([out(record)])

    async with bench.running(handler, group_of=lambda record: record.value.decode(), per_group=2, max_in_flight=5):
        await bench.until_committed(60)
        await bench.until_committed(30, partition=1)
    assert most == {"group": 2, "all": 5}


class Slow:
    """A producer whose acknowledgements come when they are let go."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.begun = 0
        self.free = asyncio.Event()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.begun += 1
        await self.free.wait()
        self._broker.write(list(records))


async def test_a_group_does_not_wait_for_the_broker_to_acknowledge_what_its_handlers_said() -> None:
    bench = RuntimeInMemory(log(*[b"case"] * 20))
    slow = Slow(bench.broker)
    calls: list[int] = []

    async def handler(record: Record) -> Done:
        calls.append(record.offset)
        return Done([out(record)])

    options: dict[str, Any] = {"sink": ProducerSink(slow), "per_group": 1, "max_in_flight": 4}  # type: ignore[arg-type]
    async with bench.running(handler, group_of=lambda record: "case", **options):
        # One handler at a time; four times as many as may run wait for the broker, and nothing is acknowledged yet.
        await wait_until_async(lambda: slow.begun == 16)
        assert calls == [*range(16)]
        assert bench.broker.committed == {}
        slow.free.set()
        await bench.until_committed(20)
    assert calls == [*range(20)]


PATIENT = GatherSeconds(60.0, 60.0)


async def test_outcomes_wait_for_others_until_the_last_of_a_group_at_hand() -> None:
    bench = RuntimeInMemory(log(*[b"case"] * 3, *[b"other"] * 2))
    free: dict[bytes, asyncio.Event] = {b"case": asyncio.Event(), b"other": asyncio.Event()}

    async def handler(record: Record) -> Done:
        await free[record.value or b""].wait()
        return Done([out(record)])

    sink = ProducerSink(bench.producer, gather=PATIENT)  # type: ignore[arg-type]
    async with bench.running(handler, sink=sink, group_of=lambda record: (record.value or b"").decode(), per_group=2):
        free[b"other"].set()
        # Both have answered; the second has nobody to wait for, and takes the first along.
        await wait_until_async(lambda: len(bench.broker.written) == 2)
        free[b"case"].set()
        await bench.until_committed(5)
    assert len(bench.broker.written) == 5


async def test_an_urgent_outcome_waits_for_nobody() -> None:
    bench = RuntimeInMemory(log(b"", b"urgent", b"later"))
    hold = asyncio.Event()

    async def handler(record: Record) -> Done:
        if record.value == b"later":
            await hold.wait()
        return Done([out(record)], urgent=record.value == b"urgent")

    sink = ProducerSink(bench.producer, gather=PATIENT)  # type: ignore[arg-type]
    async with bench.running(handler, sink=sink, per_group=3):
        await wait_until_async(lambda: len(bench.broker.written) == 2)
        hold.set()
        await bench.until_committed(3)


async def test_a_partition_is_paused_at_its_bound_and_resumed_at_half() -> None:
    bench = RuntimeInMemory(log(*[b""] * 300))
    gate = asyncio.Semaphore(0)

    async def handler(record: Record) -> Done:
        await gate.acquire()
        return Done([out(record)])

    async with bench.running(handler, max_in_flight=4, max_buffered_per_partition=20):
        await wait_until_async(lambda: bench.sample("autos_consumer_paused_partitions") == 1)
        consumer = bench.consumers[0]
        await wait_until_async(lambda: consumer.paused)
        first = consumer.positions[TOPIC, 0]
        assert first == 20
        for _ in range(10):
            gate.release()
        await wait_until_async(lambda: not consumer.paused or consumer.positions[TOPIC, 0] > first)
        for _ in range(300):
            gate.release()
        await bench.until_committed(300)


async def test_not_before_keeps_the_handler_waiting_and_the_clock_decides() -> None:
    bench = RuntimeInMemory(log(b"later", b"now"))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    due = now + timedelta(seconds=30)
    seen: list[bytes | None] = []

    async def handler(record: Record) -> Done:
        seen.append(record.value)
        return Done([out(record)])

    async with bench.running(
        handler,
        not_before=lambda record: due.timestamp() if record.value == b"later" else None,
        clock=lambda: now,
    ):
        await wait_until_async(lambda: seen == [b"now"])
        now = due
        # The timer was set for half a minute: a record that comes is enough to look at the clock again.
        bench.broker.logs[TOPIC, 0].append((2, b"now"))
        await bench.until_committed(3)
    assert seen.count(b"later") == 1


async def test_prepare_sees_batches_and_its_outcomes_spare_the_handler() -> None:
    bench = RuntimeInMemory(log(*[b"old" if n % 2 else b"new" for n in range(50)]))
    batches: list[int] = []
    handled: list[int] = []
    away = 2

    async def prepare(items: Sequence[Record]) -> Sequence[Done | None]:
        nonlocal away
        if away:
            away -= 1
            raise InfrastructureAway("database", retry_in=0.001)
        batches.append(len(items))
        return [Done([out(item)]) if item.value == b"old" else None for item in items]

    async def handler(record: Record) -> Done:
        handled.append(record.offset)
        return Done([out(record)])

    async with bench.running(handler, prepare=prepare):
        await bench.until_committed(50)
    assert sorted(handled) == list(range(0, 50, 2))
    assert sum(batches) == 50
    assert len(bench.broker.written) == 50
    assert bench.sample("autos_consumer_records_handled_total", outcome="skipped") == 25


async def test_a_record_that_waited_is_prepared_when_it_is_due() -> None:
    bench = RuntimeInMemory(log(b"later"))
    due = datetime.now(UTC).timestamp() + 0.2
    prepared: list[float] = []

    async def prepare(items: Sequence[Record]) -> Sequence[Done | None]:
        prepared.append(datetime.now(UTC).timestamp())
        return [Done([out(item)]) for item in items]

    async def handler(record: Record) -> Done:
        raise AssertionError("not called")

    async with bench.running(handler, prepare=prepare, not_before=lambda record: due):
        await bench.until_committed(1)
    assert len(prepared) == 1
    assert prepared[0] >= due


async def test_a_failing_prepare_leaves_all_to_the_handler() -> None:
    bench = RuntimeInMemory(log(b"", b""))

    async def prepare(items: Sequence[Record]) -> Sequence[Done | None]:
        raise LookupError("a bug")

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(handler, prepare=prepare):
        await bench.until_committed(2)


async def test_stop_finishes_what_is_in_flight_and_begins_nothing_more() -> None:
    bench = RuntimeInMemory(log(*[b""] * 20))
    begun: list[int] = []
    go_on = asyncio.Event()

    async def handler(record: Record) -> Done:
        begun.append(record.offset)
        await go_on.wait()
        return Done([out(record)])

    runtime = bench.runtime(handler, max_in_flight=3)
    task = asyncio.get_running_loop().create_task(runtime.run())
    await wait_until_async(lambda: len(begun) == 3)
    runtime.stop()
    await asyncio.sleep(0)
    go_on.set()
    await task
    assert begun == [0, 1, 2]
    assert bench.broker.committed[TOPIC, 0] == (3, "")
    assert bench.broker.members == []


async def test_handlers_that_outlast_the_shutdown_are_cancelled_and_uncommitted() -> None:
    bench = RuntimeInMemory(log(b"", b"stuck", b""))
    cancelled: list[int] = []

    async def handler(record: Record) -> Done:
        if record.value == b"stuck":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(record.offset)
        return Done([out(record)])

    runtime = bench.runtime(handler, shutdown_seconds=0.05)
    task = asyncio.get_running_loop().create_task(runtime.run())
    await wait_until_async(lambda: len(bench.broker.written) == 2)
    runtime.stop()
    await task
    assert cancelled == [1]
    assert bench.broker.committed[TOPIC, 0][0] == 1


async def test_a_revoked_partition_waits_for_its_handlers_and_cancels_them_at_the_deadline() -> None:
    bench = RuntimeInMemory(log(b"stuck"), log(b"stuck"))
    ended: list[int] = []

    async def handler(record: Record) -> Done:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(record.partition)
        return Done()

    async def taken_over(record: Record) -> Done:
        assert record.partition in ended, "the first holder's handler had ended before"
        return Done([out(record)])

    first = bench.runtime(handler, drain_seconds=0.05, shutdown_seconds=0.05)
    task = asyncio.get_running_loop().create_task(first.run())
    await wait_until_async(lambda: len(first.assignment) == 2)
    async with bench.running(taken_over):
        await wait_until_async(lambda: len(bench.broker.written) == 1)
        assert len(ended) == 1
        first.stop()
        await task


async def test_a_lost_partition_is_dropped_without_a_commit() -> None:
    bench = RuntimeInMemory(log(b"stuck"))
    begun: list[int] = []
    cancelled: list[int] = []

    async def handler(record: Record) -> Done:
        begun.append(record.offset)
        if len(begun) == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(record.offset)
                raise
        return Done([out(record)])

    async with bench.running(handler):
        await wait_until_async(lambda: begun == [0])
        bench.broker.lose(bench.consumers[0])
        await bench.until_committed(1)
    assert cancelled == [0]
    assert bench.sample("autos_consumer_partitions_ended_total", how="lost") == 1


async def test_a_refused_commit_is_repeated_and_counted() -> None:
    bench = RuntimeInMemory(log(b""))
    refused: list[int] = []

    class Refusing(FakeConsumer):
        def _answer_commits(self) -> None:
            answers, self._answers = self._answers, []
            for _, partitions in answers:
                if len(refused) < 2:
                    refused.append(partitions[0].offset)
                    self._broker.committed.clear()
                    self._on_commit(KafkaError(KafkaError.NOT_COORDINATOR), partitions)
                else:
                    self._on_commit(None, partitions)

    def make(on_commit: Any) -> FakeConsumer:
        return Refusing(bench.broker, on_commit)

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(handler, consumer=make):
        await wait_until_async(lambda: len(refused) == 2)
        await bench.until_committed(1)
        await wait_until_async(lambda: bench.sample("autos_consumer_commit_failures_total") == 2)


async def test_a_transaction_that_the_broker_never_ends_is_passed_over_after_its_time() -> None:
    bench = RuntimeInMemory(log(b"", b"", b""))
    bench.broker.finished.add(((TOPIC, 0), 0))
    bench.broker.committed[TOPIC, 0] = (1, "")
    asked: list[float] = []

    class Unstable(FakeConsumer):
        def committed(self, partitions: Any, timeout: float) -> Any:
            asked.append(time.monotonic())
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

        def decided(self, partitions: Any, timeout: float) -> Any:
            return super().committed(partitions, timeout)

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(
        handler, consumer=lambda on_commit: Unstable(bench.broker, on_commit), transaction_seconds=0.1
    ):
        await bench.until_committed(3)
    assert asked[-1] - asked[0] >= 0.05
    assert bench.broker.written == {("out", b"0/1"): 1, ("out", b"0/2"): 1}


async def test_offsets_that_go_back_end_the_runtime() -> None:
    bench = RuntimeInMemory(log(b"", b""))

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    runtime = bench.runtime(handler)
    task = asyncio.get_running_loop().create_task(runtime.run())
    await wait_until_async(lambda: len(bench.broker.written) == 2)
    bench.consumers[0].positions[TOPIC, 0] = 0
    with pytest.raises(OffsetsWentBack):
        await task
    assert bench.broker.members == []


async def test_a_fenced_producer_ends_the_runtime_and_leaves_the_group() -> None:
    bench = RuntimeInMemory(log(b""))

    class Fenced(FakeProducer):
        async def send(self, records: Any) -> None:
            raise ProducerFailed("_FENCED")

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    runtime = bench.runtime(handler, sink=ProducerSink(Fenced(bench.broker, Random(1))))  # type: ignore[arg-type]
    with pytest.raises(ProducerFailed):
        await runtime.run()
    assert bench.broker.members == []
    assert bench.broker.committed == {}


async def test_an_error_of_the_poll_thread_ends_the_runtime() -> None:
    bench = RuntimeInMemory(log(b""))

    class Broken(FakeConsumer):
        def poll(self, timeout: float) -> FakeMessage | None:
            raise OSError("the client broke")

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    runtime = bench.runtime(handler, consumer=lambda on_commit: Broken(bench.broker, on_commit))
    with pytest.raises(OSError, match="the client broke"):
        await runtime.run()


def test_a_loop_that_hangs_loses_its_partitions_to_others() -> None:
    bench = RuntimeInMemory(log(b""))
    seen_gone = threading.Event()

    async def handler(record: Record) -> Done:
        # A handler that blocks the whole loop; the poll thread must not keep the partition for it.
        deadline = time.monotonic() + 60
        while bench.broker.members and time.monotonic() < deadline:
            time.sleep(0.005)  # noqa: ASYNC251 - that is what is tested
        if not bench.broker.members:
            seen_gone.set()
        return Done([out(record)])

    with pytest.raises(LoopGone):
        asyncio.run(bench.runtime(handler, loop_seconds=0.1).run())
    assert seen_gone.is_set()


def test_a_cancelled_run_leaves_no_thread_and_no_member() -> None:
    bench = RuntimeInMemory(log(b"stuck"))

    async def handler(record: Record) -> Done:
        await asyncio.Event().wait()
        return Done()

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(bench.runtime(handler).run())
        await wait_until_async(lambda: bench.sample("autos_consumer_in_flight") == 1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    before = threading.active_count()
    asyncio.run(main())
    assert bench.broker.members == []
    # The thread tells its end just before it ends.
    wait_until(lambda: threading.active_count() <= before)


def test_backoff_never_undercuts_a_hint_and_stays_within_its_bounds() -> None:
    for times in range(40):
        assert 0.05 <= backoff(times, 0.1) <= 5.0
    assert all(7.0 <= backoff(3, 0.1, 7.0) <= 7.7 for _ in range(50))
    assert backoff(0, 0.1, -3.0) == 0.0


async def test_a_handler_that_emits_asynchronously_is_read_in_pieces() -> None:
    bench = RuntimeInMemory(log(b""))
    largest: list[int] = []

    class Counting(FakeProducer):
        async def send(self, records: Any) -> None:
            sent = list(records)
            largest.append(len(sent))
            await super().send(sent)

    async def many(record: Record) -> AsyncIterator[OutgoingRecord]:
        for _ in range(2_500):
            yield out(record)

    async def handler(record: Record) -> Done:
        return Done(many(record))

    sink = ProducerSink(Counting(bench.broker, Random(1)))  # type: ignore[arg-type]
    async with bench.running(handler, sink=sink):
        await bench.until_committed(1)
    assert largest == [1_000, 1_000, 500]
