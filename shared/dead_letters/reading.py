"""Reads dead letters of topics, and what the projection could not apply. Joins no group, commits nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from sqlalchemy import Connection, Row, select

from shared.db.progress import dead_letters
from shared.dead_letters.letters import PROJECTION, DeadLetter, dead_letter
from shared.errors import InfrastructureAway
from shared.kafka.config import consumer_config
from shared.kafka.consumer.client import record_of
from shared.records import Record

_ANSWER_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0


def read_projection(connection: Connection, *, row: int | None = None) -> Iterator[DeadLetter]:
    """What the projection could not apply, oldest first; or the one row with this id."""
    statement = select(dead_letters).order_by(dead_letters.c.id)
    if row is not None:
        statement = statement.where(dead_letters.c.id == row)
    yield from map(_of_row, connection.execute(statement.execution_options(yield_per=500)))


def newest_of_projection(connection: Connection, *, before: int | None, most: int) -> list[DeadLetter]:
    """At most ``most`` of what the projection could not apply, newest first: those of rows before an id."""
    statement = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(most)
    if before is not None:
        statement = statement.where(dead_letters.c.id < before)
    return [_of_row(found) for found in connection.execute(statement)]


def _of_row(found: Row[Any]) -> DeadLetter:
    headers = {name: str(text).encode() for name, text in found.headers.items()}
    record = Record(PROJECTION, 0, found.id, found.key, found.value, headers)
    detail = f"from {found.topic}/{found.partition}/{found.offset}"
    return DeadLetter(record, found.created_at, found.reason, detail, None)


def read_dead(
    bootstrap_servers: str,
    topic: str,
    *,
    config: Mapping[str, Any] | None = None,
    partition: int | None = None,
    offset: int | None = None,
) -> Iterator[DeadLetter]:
    """The dead letters of a topic as it is now, by partition and offset; or the one at partition and offset.

    Reads without a group: nothing is committed. A generator; it holds one record at a time. Raises InfrastructureAway
    when the broker does not answer, does not show the topic, or is silent for 30 seconds.
    """
    with dead_letter_reader(bootstrap_servers, config) as reader:
        for number in partitions_of(reader, topic, _ANSWER_SECONDS):
            if partition is not None and number != partition:
                continue
            place = TopicPartition(topic, number)
            low, high = reader.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
            first = low if offset is None else offset
            if not low <= first < high:
                continue
            reader.assign([TopicPartition(topic, number, first)])
            yield from _read_to(reader, high, only=offset)
            reader.assign([TopicPartition(topic, number, OFFSET_END)])


@contextmanager
def dead_letter_reader(bootstrap_servers: str, config: Mapping[str, Any] | None) -> Iterator[Consumer]:
    """A consumer that joins no group, closed with the block. A KafkaException in it becomes InfrastructureAway."""
    # No group protocol is spoken: the partitions are assigned by hand.
    reader = Consumer(consumer_config(bootstrap_servers, "autos.dead-letters", config, group_protocol="classic"))
    try:
        yield reader
    except KafkaException as error:
        raise InfrastructureAway("kafka") from error
    finally:
        reader.close()


def partitions_of(reader: Consumer, topic: str, timeout: float) -> list[int]:
    """The partitions of a topic, in their order. ``timeout`` is in seconds.

    Raises KafkaException, and InfrastructureAway when the broker does not show the topic: it is not there, or whoever
    asks may not see it.
    """
    found = reader.list_topics(topic, timeout=timeout).topics[topic]
    if found.error is not None:
        raise InfrastructureAway(f"kafka: {topic}: {found.error.name()}")
    return sorted(found.partitions)


def _read_to(reader: Consumer, high: int, *, only: int | None) -> Iterator[DeadLetter]:
    deadline = time.monotonic() + _READ_SECONDS
    while time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is None:
            # Only markers of transactions are left below the end.
            (position,) = reader.position(reader.assignment())
            if position.offset >= high:
                return
            continue
        if message.error():
            raise KafkaException(message.error())
        offset = message.offset()
        if offset is None or offset >= high or (only is not None and offset != only):
            return
        deadline = time.monotonic() + _READ_SECONDS
        yield dead_letter(record_of(message))
        if only is not None or offset == high - 1:
            return
    raise InfrastructureAway("kafka")
