"""The outbox and its relay: in order, marked after the acknowledgement, one at a time, nothing lost with it."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Consumer
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, delete, func, select, text, update

from shared.clock import utc_now
from shared.db.channels import NOTIFY_LATER, OUTBOX, Listener
from shared.db.engine import make_engine
from shared.db.progress import outbox
from shared.errors import InfrastructureAway, ProcessingError
from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.failures import ProducerFailed, RecordRefused, TopicAway
from shared.kafka.producer import Producer
from shared.outbox import inspection
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.relay import OutboxRelay, RelayHooks, RelayLimits
from shared.outbox.rows import LARGEST_PAYLOAD, OutboxRow, OutboxRows, Waiting
from shared.outbox.write import write
from shared.records import OutgoingRecord, TopicSpec
from tests.integration.db.fresh import FreshDatabase
from tests.support import Servers, wait_until


class Recorder:
    """A publisher that remembers; it can fail, refuse, and be held in the middle of a send."""

    def __init__(self) -> None:
        self.answers: dict[str, ProcessingError] = {}
        """By value: what becomes of a record."""
        self.in_company: set[str] = set()
        """Values whose whole batch is refused."""
        self.topics: dict[str, ProcessingError] = {}
        self.sent: list[OutgoingRecord] = []
        self.failure: Exception | None = None
        self.calls = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def send_each(self, records: Sequence[OutgoingRecord], timeout: float) -> list[ProcessingError | None]:
        self.calls += 1
        self.entered.set()
        assert self.gate.wait(timeout)
        if self.failure is not None:
            raise self.failure
        values = [(record.value or b"").decode() for record in records]
        if len(records) > 1 and self.in_company.intersection(values):
            return [RecordRefused("MSG_SIZE_TOO_LARGE")] * len(records)
        answers = [self.answers.get(value) for value in values]
        self.sent += [record for record, answer in zip(records, answers, strict=True) if answer is None]
        return answers

    def topic_problem(self, topic: str, timeout: float) -> ProcessingError | None:
        return self.topics.get(topic)

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
_LIMITS = {field.name for field in fields(RelayLimits)}


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Starts relays that end with the test."""
    with ExitStack() as running:

        def started(publisher: Any, *, of: Engine = engine, **options: Any) -> OutboxRelay:
            numbers = {name: options.pop(name) for name in _LIMITS & options.keys()}
            relay = OutboxRelay(of, outbox, publisher, RelayLimits(**{"poll_seconds": 0.05, **numbers}), **options)
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
    wait_until(lambda: unpublished(engine) == 0)


def test_a_notification_wakes_the_relay_long_before_its_poll(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    start(recorder, poll_seconds=60.0)
    put(engine, "first")
    wait_until(lambda: recorder.values == ["first"])
    put(engine, "second")
    wait_until(lambda: recorder.values == ["first", "second"])


def test_a_transaction_that_tells_later_is_not_told_by_the_trigger(engine: Engine, database: FreshDatabase) -> None:
    heard: list[str | None] = []
    listener = Listener(database.owner_url, OUTBOX, heard.append)
    listener.start()
    try:
        # It listens from the first call on.
        wait_until(lambda: heard == [None])
        with engine.begin() as connection:
            connection.execute(text(f"SELECT {NOTIFY_LATER}"))
            write(connection, outbox, [record("told later")], now=utc_now())
        put(engine, "told at once")
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_notify('{OUTBOX}', 'the end')"))
        wait_until(lambda: heard[-1] == "the end")
        assert heard == [None, "progress", "the end"]
    finally:
        listener.stop()


def test_rows_that_come_quickly_after_another_share_a_look(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    relay = start(recorder, poll_seconds=60.0, gather_seconds=1.5)
    wait_until(lambda: relay.looks == 1)
    put(engine, "first")
    wait_until(lambda: relay.looks == 2)
    for number in range(5):
        put(engine, f"n{number}")
    wait_until(lambda: len(recorder.sent) == 6)
    assert recorder.calls == 2


def test_a_row_is_marked_only_after_the_acknowledgement(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.gate.clear()
    put(engine, "one")
    start(recorder)
    assert recorder.entered.wait(60)
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
    start(recorder, hooks=RelayHooks(on_unusable=ended.set))
    assert ended.wait(60)
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
    assert first.entered.wait(60)
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
    relay = OutboxRelay(engine, outbox, recorder, RelayLimits(poll_seconds=60.0))
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


def set_aside_rows(engine: Engine) -> list[tuple[str, str]]:
    """Payload and reason of what is set aside, by seq."""
    with engine.begin() as connection:
        statement = select(outbox.c.payload, outbox.c.reason).where(outbox.c.set_aside_at.is_not(None))
        return [(row.payload, row.reason) for row in connection.execute(statement.order_by(outbox.c.seq))]


def left(engine: Engine) -> int:
    """Rows that still wait: neither published nor set aside."""
    with engine.begin() as connection:
        return standing_of(connection).rows


def standing_of(connection: Connection) -> Waiting:
    return OutboxRows(outbox).waiting(connection)


def test_one_bad_row_among_500_is_set_aside_and_the_others_go(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.answers["bad"] = RecordRefused("MSG_SIZE_TOO_LARGE")
    # As a broker does: the whole batch that the client happened to send is refused with it.
    recorder.in_company.add("bad")
    good = [f"n{index}" for index in range(499)]
    registry, labels = CollectorRegistry(), {"schema": "progress", "reason": "too_large"}
    metrics = OutboxMetrics("progress", registry)
    assert registry.get_sample_value("autos_outbox_set_aside_total", labels) == 0
    put(engine, *good[:250], "bad", *good[250:])
    start(recorder, metrics=metrics)
    wait_until(lambda: left(engine) == 0)
    assert recorder.values == good
    assert set_aside_rows(engine) == [("bad", "too_large")]
    assert registry.get_sample_value("autos_outbox_set_aside_total", labels) == 1
    # Later rows of the same key go on.
    put(engine, "later")
    wait_until(lambda: recorder.values[-1] == "later")


def test_what_cannot_be_a_record_is_set_aside(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.topics["no topic!"] = RecordRefused("TOPIC_EXCEPTION")
    recorder.answers["policy"] = RecordRefused("POLICY_VIOLATION")
    put(engine, "list", "number", "values", "policy")
    put(engine, "named", topic="no topic!")
    put(engine, "good")
    with engine.begin() as connection:
        for payload, headers in (("list", "[1]"), ("number", "7"), ("values", '{"ce_id": {"a": null}}')):
            connection.execute(update(outbox).where(outbox.c.payload == payload).values(headers=text(f"'{headers}'")))
    start(recorder)
    wait_until(lambda: left(engine) == 0)
    assert recorder.values == ["good"]
    assert dict(set_aside_rows(engine)) == {
        "list": "unencodable",
        "number": "unencodable",
        "values": "unencodable",
        "policy": "refused",
        "named": "invalid_topic",
    }


def test_a_payload_beyond_all_limits_is_not_even_read(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    put(engine, "x" * (LARGEST_PAYLOAD + 1), *["y" * 3_000_000 for _ in range(8)], "good")
    start(recorder)
    wait_until(lambda: left(engine) == 0)
    assert [len(value) for value in recorder.values] == [3_000_000] * 8 + [4]
    assert [(len(payload), reason) for payload, reason in set_aside_rows(engine)] == [
        (LARGEST_PAYLOAD + 1, "too_large")
    ]


def test_a_topic_that_is_away_holds_its_own_rows_in_their_order(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.topics["process.completed"] = TopicAway("kafka: TOPIC_AUTHORIZATION_FAILED")
    held = [f"held{index}" for index in range(5)]
    put(engine, *held[:3], topic="process.completed")
    put(engine, "one", "two")
    put(engine, *held[3:], topic="process.completed")
    start(recorder, look_seconds=0.1)
    wait_until(lambda: recorder.values == ["one", "two"])
    put(engine, "three")
    wait_until(lambda: recorder.values == ["one", "two", "three"])
    wait_until(lambda: left(engine) == 5)
    recorder.topics.clear()
    wait_until(lambda: left(engine) == 0)
    assert recorder.values[3:] == held
    assert set_aside_rows(engine) == []


def test_a_topic_that_is_none_of_ours_and_does_not_come_is_none(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.topics["no.such.topic"] = TopicAway("kafka: UNKNOWN_TOPIC_OR_PART")
    put(engine, "lost", "lost too", topic="no.such.topic")
    put(engine, "good")
    start(recorder, look_seconds=0.05, patience_seconds=0.3)
    wait_until(lambda: left(engine) == 0)
    assert recorder.values == ["good"]
    assert set_aside_rows(engine) == [("lost", "unknown_topic"), ("lost too", "unknown_topic")]


def test_a_wrong_clock_is_no_fault_of_a_row(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.answers["one"] = RecordRefused("INVALID_TIMESTAMP")
    put(engine, "one")
    start(recorder)
    wait_until(lambda: recorder.calls >= 3)
    assert left(engine) == 1
    recorder.answers.clear()
    wait_until(lambda: recorder.values == ["one"])


def test_rows_behind_one_of_their_key_that_is_left_come_after_it(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.answers["first"] = InfrastructureAway("kafka: _MSG_TIMED_OUT")
    put(engine, "first", "second")
    start(recorder)
    wait_until(lambda: recorder.calls >= 2)
    recorder.answers.clear()
    wait_until(lambda: left(engine) == 0)
    assert recorder.values[-2:] == ["first", "second"]


def test_what_follows_from_a_row_set_aside_is_written_with_it(engine: Engine, start: Start) -> None:
    recorder = Recorder()
    recorder.answers |= {"bad": RecordRefused("MSG_SIZE_TOO_LARGE"), "worse": RecordRefused("INVALID_RECORD")}

    def follow(row: OutboxRow, reason: str) -> list[OutgoingRecord]:
        if row.payload == "worse":
            raise ValueError("cannot be read")
        return [record(f"the end of {row.payload}: {reason}")]

    put(engine, "bad", "worse")
    start(recorder, hooks=RelayHooks(follow))
    wait_until(lambda: recorder.values == ["the end of bad: too_large"])
    assert set_aside_rows(engine) == [("bad", "too_large"), ("worse", "refused")]


def test_what_is_set_aside_is_listed_and_can_be_replayed(engine: Engine, database: FreshDatabase, start: Start) -> None:
    recorder = Recorder()
    recorder.answers["bad"] = RecordRefused("MSG_SIZE_TOO_LARGE")
    put(engine, "bad")
    start(recorder, poll_seconds=60.0)
    wait_until(lambda: len(set_aside_rows(engine)) == 1)
    owner = make_engine(database.owner_url, application_name="test-owner", pool_size=1)
    with owner.begin() as connection:
        (found,) = inspection.set_aside(connection, "progress")
        assert (found.topic, found.reason, found.bytes) == ("some.topic", "too_large", 3)
        (standing,) = [one for one in inspection.outbox_states(connection) if one.schema == "progress"]
        assert (standing.set_aside, standing.seconds, standing.stalled) == (1, 0.0, False)
    recorder.answers.clear()
    with owner.begin() as connection:
        assert inspection.replay(connection, "progress", [found.seq]) == 1
        assert inspection.replay(connection, "progress", [found.seq]) == 0
    owner.dispose()
    wait_until(lambda: recorder.values == ["bad"])
    assert set_aside_rows(engine) == []


def test_an_outbox_that_stands_still_says_since_when(engine: Engine, database: FreshDatabase) -> None:
    put(engine, "one", "two")
    with engine.begin() as connection:
        connection.execute(update(outbox).values(created_at=text("now() - interval '2 minutes'")))
        assert 119 < standing_of(connection).seconds < 200
    owner = make_engine(database.owner_url, application_name="test-owner", pool_size=1)
    with owner.begin() as connection:
        assert [one.schema for one in inspection.outbox_states(connection) if one.stalled] == ["progress"]
    owner.dispose()


def test_the_real_broker_refuses_one_and_takes_the_others(servers: Servers, engine: Engine, start: Start) -> None:
    """Too large for the client and for the topic, names that no topic can have, and a topic that comes later."""
    mark = uuid.uuid4().hex[:8]
    small, compact, late = f"test.small.{mark}", f"test.compact.{mark}", f"test.late.{mark}"
    specs = [TopicSpec(small, 1, {"max.message.bytes": "2000"}), TopicSpec(compact, 1, {"cleanup.policy": "compact"})]
    ensure_topics(servers.bootstrap_servers, specs, None, 1)
    producer = Producer(servers.bootstrap_servers)
    noise = [random.Random(seed).randbytes(1_000).hex() for seed in range(6)]
    put(engine, noise[0][:500], "big" + "".join(noise), noise[1][:500], topic=small)
    put(engine, "x" * 1_100_000, "good", topic=compact)
    put(engine, "y", topic="no/topic")
    put(engine, "z", topic="x" * 300)
    put(engine, "waits", topic=late)
    start(producer, look_seconds=0.2)
    wait_until(lambda: left(engine) == 1)
    found = {payload[:3]: reason for payload, reason in set_aside_rows(engine)}
    assert found == {"big": "too_large", "xxx": "too_large", "y": "invalid_topic", "z": "invalid_topic"}
    ensure_topics(servers.bootstrap_servers, [TopicSpec(late, 1)], None, 1)
    wait_until(lambda: left(engine) == 0)
    assert len(set_aside_rows(engine)) == 4
    producer.close()


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

    wait_until(all_there)
    consumer.close()
    assert [message.value() for message in received] == [item.value for item in written]
    assert [dict(message.headers())["ce_id"] for message in received] == [item.headers["ce_id"] for item in written]
    wait_until(lambda: unpublished(engine) == 0)
    producer.close()
