"""What is given up: a handler is not run for nothing, the dead topic always takes it, and what waits for it hears."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.handling import Done
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.failures import RecordRefused
from shared.records import OutgoingRecord, Record
from tests.support import wait_until_async
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker
from tests.unit.shared.kafka.consumer.fake_producer import FakeProducer
from tests.unit.shared.kafka.consumer.runtime_in_memory import RuntimeInMemory, letter, log, out


class Strict(FakeProducer):
    """A broker that takes no record of more than so many bytes."""

    def __init__(self, broker: FakeBroker, most: int) -> None:
        super().__init__(broker, Random(1))
        self._most = most
        self.taken: list[OutgoingRecord] = []

    async def send(self, records: Any) -> None:
        sent = list(records)
        for record in sent:
            # The keys of these tests say which record is meant; they are not counted.
            headers = sum(len(name) + len(value) for name, value in record.headers.items())
            if len(record.value or b"") + headers > self._most:
                raise RecordRefused("MSG_SIZE_TOO_LARGE")
        self.taken += sent
        await super().send(sent)


def end(record: Record) -> OutgoingRecord:
    return OutgoingRecord("ends", f"{record.partition}/{record.offset}".encode(), b"")


async def ends(record: Record, error: Exception) -> Sequence[OutgoingRecord]:
    return [end(record)]


async def test_what_the_broker_refuses_for_good_does_not_run_the_handler_again() -> None:
    bench = RuntimeInMemory(log(b"large", b""))
    strict = Strict(bench.broker, 500)
    calls: list[int] = []

    async def handler(record: Record) -> Done:
        calls.append(record.offset)
        made = out(record)
        return Done([OutgoingRecord(made.topic, made.key, b"x" * 1_000)] if record.value else [made])

    sink = ProducerSink(strict)  # type: ignore[arg-type]
    async with bench.running(handler, sink=sink, on_given_up=ends):
        await bench.until_committed(2)
    assert calls == [0, 1]
    assert bench.broker.written == {("ends", b"0/0"): 1, ("dead", b"0/0"): 1, ("out", b"0/1"): 1}
    (buried,) = [record for record in strict.taken if record.topic == "dead"]
    assert buried.headers[dead.ERROR] == b"record_refused"


@pytest.mark.parametrize("value", [b"", b"v" * 3_000])
async def test_a_dead_letter_whose_headers_are_too_large_is_written_with_ours_alone(value: bytes) -> None:
    bench = RuntimeInMemory(log(value))
    strict = Strict(bench.broker, 500)

    def decode(record: Record) -> Record:
        raise PoisonRecord("not_json")

    def large(record: Record, error: Exception) -> OutgoingRecord:
        made = letter(record, error)
        return OutgoingRecord(made.topic, made.key, made.value, {**made.headers, "x": b"h" * 2_000})

    async def handler(record: Record) -> Done:
        raise AssertionError("not called")

    sink = ProducerSink(strict)  # type: ignore[arg-type]
    async with bench.running(handler, decode=decode, dead_letter=large, sink=sink, on_given_up=ends):
        await bench.until_committed(1)
    buried = strict.taken[-1]
    assert set(buried.headers) == {dead.ERROR, dead.ERROR_DETAIL, dead.ORIGIN, dead.VALUE_LEFT_OUT}
    assert [record.topic for record in strict.taken] == ["ends", "dead"]


async def test_every_door_to_the_dead_topic_tells_the_end_once() -> None:
    bench = RuntimeInMemory(log(b"poison", b"bug", b"undecodable", b"good"))
    told: list[tuple[int, str]] = []

    async def tell(record: Record, error: Exception) -> Sequence[OutgoingRecord]:
        told.append((record.offset, dead.reason_of(error)))
        return [end(record)]

    def decode(record: Record) -> Record:
        if record.value == b"undecodable":
            raise OverflowError("a bug of the decoder")
        return record

    async def handler(record: Record) -> Done:
        if record.value == b"poison":
            raise PoisonRecord("wrong_case")
        if record.value == b"bug":
            raise LookupError("a bug")
        return Done([out(record)])

    async with bench.running(handler, decode=decode, on_given_up=tell):
        await bench.until_committed(4)
    assert sorted(told) == [(0, "wrong_case"), (1, "handler_error"), (2, "handler_error")]
    assert {key for topic, key in bench.broker.written if topic == "ends"} == {b"0/0", b"0/1", b"0/2"}
    assert {key for topic, key in bench.broker.written if topic == "dead"} == {b"0/0", b"0/1", b"0/2"}


async def test_an_end_waits_for_what_is_away_and_one_that_cannot_be_told_stops_nothing() -> None:
    bench = RuntimeInMemory(log(b"away", b"broken"))
    away = 3

    async def tell(record: Record, error: Exception) -> Sequence[OutgoingRecord]:
        nonlocal away
        if record.value == b"broken":
            raise ZeroDivisionError
        away -= 1
        if away:
            raise InfrastructureAway("database", retry_in=0.001)
        return [end(record)]

    async def handler(record: Record) -> Done:
        raise PoisonRecord("wrong_case")

    async with bench.running(handler, on_given_up=tell):
        await bench.until_committed(2)
    assert bench.broker.written == {("ends", b"0/0"): 1, ("dead", b"0/0"): 1, ("dead", b"0/1"): 1}


async def test_a_prepare_that_breaks_for_a_record_that_waited_buries_that_record_alone() -> None:
    bench = RuntimeInMemory(log(b"later", b""))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    due = now + timedelta(seconds=30)

    async def prepare(items: Sequence[Record]) -> Sequence[Done | None]:
        if items[0].value == b"later":
            raise LookupError("a bug")
        return [None] * len(items)

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(
        handler,
        prepare=prepare,
        not_before=lambda record: due.timestamp() if record.value else None,
        clock=lambda: now,
    ):
        await wait_until_async(lambda: bench.broker.written == {("out", b"0/1"): 1})
        now = due
        # The timer was set for half a minute: a record that comes is enough to look at the clock again.
        bench.broker.logs[TOPIC, 0].append((2, b""))
        await bench.until_committed(3)
    assert bench.broker.written == {("dead", b"0/0"): 1, ("out", b"0/1"): 1, ("out", b"0/2"): 1}


async def test_times_that_no_tier_can_mean_do_not_fill_the_partition() -> None:
    bench = RuntimeInMemory(log(*[b"never"] * 50, b"", *[b"never"] * 50))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    never = (now + timedelta(days=365)).timestamp()

    async def handler(record: Record) -> Done:
        return Done([out(record)])

    async with bench.running(
        handler,
        not_before=lambda record: never if record.value else None,
        longest_wait={TOPIC: 30.0},
        max_buffered_per_partition=20,
        clock=lambda: now,
    ):
        await bench.until_committed(101)
    assert len(bench.broker.written) == 101
