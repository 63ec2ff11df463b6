"""The dead topics as an operator sees them: list, show, send again.

A dead letter is either the event with ``error_code`` and ``error_message`` (its retries are spent, or the failure is
permanent), or a poison record as it came, with ``autos_error`` in its headers. Only the former can be replayed: it goes
back to the topic of its first request with ``attempt`` 1 and a new ``ce_id``. When that works, the document is
available, and the counters and the status of a job that had ended are corrected; nothing is announced again. A job that
was cancelled, or failed as a whole, stays as it was announced.

Reading joins no group and commits nothing; :func:`replayed` makes the record, and the command sends it.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from sqlalchemy import Connection, select

from shared.clock import EARLIEST, Clock, plausible_ms, utc_now
from shared.db.progress import dead_letters
from shared.errors import InfrastructureAway, PoisonRecord
from shared.events.document_requested import DocumentDead, DocumentRequested
from shared.events.envelope import Event, encode, header, validate
from shared.events.process_requested import ProcessDead, ProcessRequested
from shared.events.topics import DOCUMENT_DEAD, DOCUMENT_REQUESTED, PROCESS_DEAD, PROCESS_REQUESTED
from shared.kafka.config import consumer_config
from shared.kafka.consumer.client import record_of
from shared.kafka.consumer.dead_letter import ERROR, ERROR_DETAIL
from shared.records import OutgoingRecord, Record

REPLAYABLE: Final[Mapping[str, tuple[type[DocumentDead] | type[ProcessDead], type[Event], str]]] = {
    DOCUMENT_DEAD: (DocumentDead, DocumentRequested, DOCUMENT_REQUESTED),
    PROCESS_DEAD: (ProcessDead, ProcessRequested, PROCESS_REQUESTED),
}
"""By dead topic: what it holds, what is sent again, and where to. Webhooks are sent again by ``autos redeliver``."""

_NAME: Final = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_ANSWER_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0


class NotReplayable(Exception):
    """The dead letter is a poison record: what made it must be mended, sending it again would change nothing."""


PROJECTION: Final = "progress.dead_letters"
"""The table of what the projection cannot apply, as a topic of one partition: an id is its row's."""


@dataclass(frozen=True)
class DeadLetter:
    """One record of a dead topic. ``event`` is None for a poison record."""

    record: Record
    at: datetime
    error_code: str
    error_message: str
    event: DocumentDead | ProcessDead | None

    @property
    def id(self) -> str:
        """``topic/partition/offset``: what show and replay take."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"

    @property
    def case(self) -> str | None:
        """The case that it is about, where that can be read."""
        return self.event.process_number if self.event is not None else _named(self.record.value, "process_number")

    @property
    def document_id(self) -> str | None:
        """The document that it is about, likewise."""
        return _named(self.record.value, "document_id")


def _named(value: bytes | None, field: str) -> str | None:
    try:
        found = json.loads((value or b"").decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    named = found.get(field) if isinstance(found, dict) else None
    return named if isinstance(named, str) and _NAME.fullmatch(named) else None


def read_projection(connection: Connection, *, row: int | None = None) -> Iterator[DeadLetter]:
    """What the projection could not apply, oldest first; or the one row with this id."""
    statement = select(dead_letters).order_by(dead_letters.c.id)
    if row is not None:
        statement = statement.where(dead_letters.c.id == row)
    for found in connection.execute(statement.execution_options(yield_per=500)):
        headers = {name: str(text).encode() for name, text in found.headers.items()}
        record = Record(PROJECTION, 0, found.id, found.key, found.value, headers)
        detail = f"from {found.topic}/{found.partition}/{found.offset}"
        yield DeadLetter(record, found.created_at, found.reason, detail, None)


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
    when the broker does not answer, or is silent for 30 seconds.
    """
    # No group protocol is spoken: the partitions are assigned by hand.
    reader = Consumer(consumer_config(bootstrap_servers, "autos.dead-letters", config, group_protocol="classic"))
    try:
        found = reader.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
        for number in sorted(found.partitions):
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
    except KafkaException as error:
        raise InfrastructureAway("kafka") from error
    finally:
        reader.close()


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
        yield _dead_letter(record_of(message))
        if only is not None or offset == high - 1:
            return
    raise InfrastructureAway("kafka")


def _dead_letter(record: Record) -> DeadLetter:
    at = plausible_ms(record.timestamp_ms) or EARLIEST
    poison = header(record.headers, ERROR)
    models = REPLAYABLE.get(record.topic)
    if poison is None and models is not None and record.value is not None:
        try:
            event = validate(models[0], record.value)
        except PoisonRecord as error:
            return DeadLetter(record, at, error.reason, error.detail, None)
        return DeadLetter(record, at, event.error_code, event.error_message, event)
    return DeadLetter(record, at, poison or "unknown", header(record.headers, ERROR_DETAIL) or "", None)


def replayed(letter: DeadLetter, *, clock: Clock = utc_now) -> OutgoingRecord:
    """The record that asks for the dead letter's work again. Raises NotReplayable."""
    if letter.event is None:
        raise NotReplayable(f"{letter.id} is a poison record ({letter.error_code}); mend its producer instead")
    _, model, topic = REPLAYABLE[letter.record.topic]
    content = letter.event.model_dump(exclude={"error_code", "error_message", "not_before", "last_error"})
    event = model.model_validate({**content, "attempt": 1})
    return encode(
        event,
        topic,
        event_id=str(uuid.uuid4()),
        source="/autos/operator",
        time=clock(),
        traceparent=header(letter.record.headers, "traceparent"),
    )
