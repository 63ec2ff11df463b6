"""The outbox and its relay: in order, marked after the acknowledgement, one at a time, nothing lost with it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Consumer
from sqlalchemy import Engine, delete, func, select, text

from shared.clock import utc_now
from shared.db.engine import make_engine
from shared.db.progress import outbox
from shared.kafka.admin import TopicSpec, ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.errors import InfrastructureAway
from shared.kafka.producer import Producer, ProducerFailed
from shared.kafka.records import OutgoingRecord
from shared.outbox.relay import OutboxRelay
from shared.outbox.write import write
from tests.integration.db.fresh import FreshDatabase
from tests.support import Servers, wait_until


class Recorder:
    """A publisher that remembers; it can fail, and it can be held in the middle of a send."""

    def __init__(self) -> None:
        self.sent: list[OutgoingRecord] = []
        self.failure: Exception | None = None
        self.calls = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def send_blocking(self, records: Sequence[OutgoingRecord], timeout: float) -> None:
        self.calls += 1
        self.entered.set()
        assert self.gate.wait(timeout)
        if self.failure is not None:
            raise self.failure
        self.sent += records

    @property
    def values(self) -> list[str]:
        return [(record.value or b"").decode() for record in self.sent]


@pytest.fixture
def engine(database: FreshDatabase) -> Iterator[Engine]:
    engine = make_engine(database.role_urls["status"], application_name="test-outbox", pool_size=5)
    with engine.begin() as connection:
        connection.execute(delete(outbox))
    yield engine
    engine.dispose()


Start = Callable[..., OutboxRelay]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Starts relays that end with the test."""
    with ExitStack() as running:

        def started(publisher: Any, *, of: Engine = engine, **options: Any) -> OutboxRelay:
            relay = OutboxRelay(of, outbox, publisher, **{"poll_seconds": 0.05, **options})
            relay.start()
            running.callback(relay.stop)
            return relay

        yield started


def record(value: str, topic: str = "some.topic") -> OutgoingRecord:
    headers = {"ce_id": str(uuid.uuid4()).encode(), "ce_type": b"test", "traceparent": b"00-ab-cd-01"}
    return OutgoingRecord(topic, b"key", value.encode(), headers)


def put(engine: Engine, *values: str, topic: str = "some.topic") -> list[OutgoingRecord]:
    records = [record(value, topic) for value in values]
    with engine.begin() as connection:
        write(connection, outbox, records, now=utc_now())
    return records


def unpublished(engine: Engine) -> int:
    with engine.begin() as connection:
        statement = select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        return int(connection.execute(statement).scalar_one())


def test_rows_leave_in_order_as_they_were_written(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    written = put(engine, *(f"n{index}" for index in range(25)))
    start(recorder, batch_size=10)
    written += put(engine, "later")
    wait_until(lambda: unpublished(engine) == 0)
    assert recorder.sent == written


def test_what_was_rolled_back_is_never_published(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    start(recorder)
    with engine.connect() as connection:
        write(connection, outbox, [record("undone")], now=utc_now())
        connection.rollback()
    put(engine, "done")
    wait_until(lambda: recorder.values == ["done"])
    assert unpublished(engine) == 0


def test_a_notification_wakes_the_relay_long_before_its_poll(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    start(recorder, poll_seconds=60.0)
    put(engine, "first")
    wait_until(lambda: recorder.values == ["first"], 5)
    put(engine, "second")
    wait_until(lambda: recorder.values == ["first", "second"], 5)


def test_rows_that_come_quickly_after_another_share_a_look(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    start(recorder, poll_seconds=60.0, gather_seconds=1.0)
    put(engine, "first")
    wait_until(lambda: recorder.values == ["first"])
    calls = recorder.calls
    for number in range(5):
        put(engine, f"n{number}")
    wait_until(lambda: len(recorder.sent) == 6)
    assert recorder.calls == calls + 1


def test_a_row_is_marked_only_after_the_acknowledgement(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.gate.clear()
    put(engine, "one")
    start(recorder)
    assert recorder.entered.wait(10)
    assert unpublished(engine) == 1
    recorder.gate.set()
    wait_until(lambda: unpublished(engine) == 0)


def test_a_failed_send_is_repeated_with_the_same_ids(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.failure = InfrastructureAway("kafka")
    written = put(engine, "one", "two")
    start(recorder)
    wait_until(lambda: recorder.calls >= 3)
    assert unpublished(engine) == 2
    recorder.failure = None
    wait_until(lambda: unpublished(engine) == 0)
    assert recorder.sent == written


def test_an_unusable_producer_ends_the_process(engine: Engine, start: Start) -> None:
    recorder, ended = Recorder(), threading.Event()
    recorder.failure = ProducerFailed("fenced")
    put(engine, "one")
    start(recorder, on_unusable=ended.set)
    assert ended.wait(10)
    assert unpublished(engine) == 1


def test_two_relays_and_one_of_them_works(engine: Engine, start: Start) -> None:
    first, second = Recorder(), Recorder()
    relay = start(first)
    put(engine, "one")
    wait_until(lambda: first.values == ["one"])
    start(second)
    for index in range(20):
        put(engine, f"more{index}")
    wait_until(lambda: unpublished(engine) == 0)
    assert len(first.sent) == 21
    assert second.sent == []
    relay.stop()
    put(engine, "after")
    wait_until(lambda: second.values == ["after"])


def test_a_relay_that_lost_its_connection_is_replaced_and_nothing_is_lost(
    database: FreshDatabase, engine: Engine, start: Start
) -> None:
    """The first one dies between the acknowledgement and the mark: its rows come again, with the same ids."""
    other = make_engine(database.role_urls["status"], application_name="test-outbox-victim", pool_size=2)
    first, second = Recorder(), Recorder()
    written = put(engine, "one", "two")
    first.gate.clear()
    start(first, of=other)
    assert first.entered.wait(10)
    start(second)
    owner = make_engine(database.owner_url, application_name="test-owner", pool_size=1)
    with owner.begin() as connection:
        killed = connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-outbox-victim'")
        ).all()
    owner.dispose()
    assert killed
    wait_until(lambda: unpublished(engine) == 0)
    assert second.sent == written
    first.gate.set()
    wait_until(lambda: len(first.sent) >= 2)
    # What the first one had sent already is the same records once more: a receiver knows them by ce_id.
    assert first.sent == written
    put(engine, "three")
    wait_until(lambda: unpublished(engine) == 0)
    assert [*first.values, *second.values].count("three") == 1
    other.dispose()


def test_stop_publishes_what_is_committed(engine: Engine) -> None:
    recorder = Recorder()
    relay = OutboxRelay(engine, outbox, recorder, poll_seconds=60.0)
    relay.start()
    put(engine, "first")
    wait_until(lambda: recorder.values == ["first"])
    put(engine, "last")
    relay.stop()
    assert recorder.values == ["first", "last"]
    assert unpublished(engine) == 0


def test_published_rows_are_purged_when_they_are_old(engine: Engine, start: Start) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    put(engine, "old")
    relay = start(Recorder(), clock=lambda: now)
    wait_until(lambda: unpublished(engine) == 0)
    relay.stop()
    put(engine, "young")
    start(Recorder(), clock=lambda: now + timedelta(days=3))

    def values() -> list[str]:
        with engine.begin() as connection:
            return list(connection.execute(select(outbox.c.payload)).scalars())

    wait_until(lambda: values() == ["young"])


def test_through_the_real_producer(servers: Servers, engine: Engine, start: Start) -> None:
    topic = f"test.outbox.{uuid.uuid4().hex[:8]}"
    ensure_topics(servers.bootstrap_servers, [TopicSpec(topic, 1)], None, 1)
    producer = Producer(servers.bootstrap_servers)
    written = put(engine, *(f"n{index}" for index in range(300)), topic=topic)
    start(producer, batch_size=100)
    consumer = Consumer(consumer_config(servers.bootstrap_servers, f"{topic}.group"))
    consumer.subscribe([topic])
    received: list[Any] = []

    def all_there() -> bool:
        received.extend(message for message in consumer.consume(500, 0.2) if not message.error())
        return len(received) >= 300

    wait_until(all_there, 30)
    consumer.close()
    assert [message.value() for message in received] == [item.value for item in written]
    assert [dict(message.headers())["ce_id"] for message in received] == [item.headers["ce_id"] for item in written]
    wait_until(lambda: unpublished(engine) == 0)
    producer.close()
