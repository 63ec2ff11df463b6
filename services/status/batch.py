"""A batch of records to one transaction: decode, set poison aside, apply, count.

The whole batch is committed or nothing of it. When one of its events cannot be stored (a number too large for its
column), the batch is halved until that event is alone; it becomes a row of ``progress.dead_letters`` and the rest
is applied in order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg2
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from services.status.apply import Applied, Projection
from services.status.metrics import StatusMetrics
from services.status.rows import Occurrence
from shared.clock import Clock
from shared.db import progress
from shared.db.engine import Database
from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobEvent,
    JobPlanned,
)
from shared.events.envelope import decode, header
from shared.kafka.errors import InfrastructureAway, PoisonRecord
from shared.kafka.records import Record

_TYPES: Final[dict[str, type[JobEvent]]] = {
    model.TYPE: model for model in (JobPlanned, JobAborted, DocumentStarted, DocumentAvailable, DocumentFailed)
}
_UNSTORABLE: Final = "unstorable"
"""The reason of a record that is an event, but one that the tables cannot hold."""


@dataclass(frozen=True)
class DeadLetter:
    """A record that can never be applied, and why (a snake_case code)."""

    record: Record
    reason: str


def occurrence(record: Record) -> Occurrence:
    """The event of a record and its time: ``ce_time``, or the broker's. Raises PoisonRecord."""
    return Occurrence(decode(record, _TYPES), _time(record))


def _time(record: Record) -> datetime:
    written = header(record.headers, "ce_time")
    if written is not None:
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)


def sort_out(records: Sequence[Record]) -> tuple[list[Occurrence], list[DeadLetter]]:
    """The events of a batch, in order, and the records that are none."""
    occurrences: list[Occurrence] = []
    poison: list[DeadLetter] = []
    for record in records:
        try:
            occurrences.append(occurrence(record))
        except PoisonRecord as refused:
            poison.append(DeadLetter(record, refused.reason))
    return occurrences, poison


class BatchWriter:
    """Writes batches of records into the projection; used from one thread at a time."""

    def __init__(self, database: Database, projection: Projection, clock: Clock, metrics: StatusMetrics) -> None:
        self._database = database
        self._projection = projection
        self._clock = clock
        self._metrics = metrics

    def write(self, records: Sequence[Record]) -> Mapping[str, int]:
        """Commit what the records say; by job that changed, the documents that it still waits for (Applied.left).

        Raises InfrastructureAway when nothing of the rest can be committed now. After an exception the same records
        can be written again: what was committed changes nothing twice.
        """
        if not records:
            return {}
        began = time.perf_counter()
        occurrences, poison = sort_out(records)
        try:
            applied = self._commit(occurrences, poison)
        except (psycopg2.Error, DBAPIError) as error:
            if not _unstorable(error):
                # Away, restarting, not migrated yet, a grant missing: not the events' fault, whatever it is.
                raise InfrastructureAway("database") from error
            return self._write_halves(records)
        except (ValueError, TypeError, ArithmeticError):
            return self._write_halves(records)
        self._count(records, applied, poison, time.perf_counter() - began)
        return applied.left

    def _write_halves(self, records: Sequence[Record]) -> Mapping[str, int]:
        if len(records) > 1:
            middle = len(records) // 2
            return {**self.write(records[:middle]), **self.write(records[middle:])}
        letters = [DeadLetter(records[0], _UNSTORABLE)]
        applied = self._commit([], letters)
        self._count(records, applied, letters, 0.0)
        return applied.left

    def _commit(self, occurrences: Sequence[Occurrence], poison: Sequence[DeadLetter]) -> Applied:
        now = self._clock()
        with self._database.transaction() as connection:
            applied = self._projection.apply(connection, occurrences, now)
            bury(connection, poison, now)
        return applied

    def _count(self, records: Sequence[Record], applied: Applied, poison: Sequence[DeadLetter], seconds: float) -> None:
        self._metrics.events.inc(len(records))
        self._metrics.seconds.observe(seconds)
        for completion in applied.completions:
            self._metrics.completions.labels(completion.status.value).inc()
        for letter in poison:
            self._metrics.dead_letters.labels(letter.reason).inc()
        age = self._clock().timestamp() - records[-1].timestamp_ms / 1000
        self._metrics.lag_seconds.set(max(0.0, age))


def _unstorable(error: psycopg2.Error | DBAPIError) -> bool:
    """Whether the values are at fault (as against: the database)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg2.DataError | psycopg2.IntegrityError)


def bury(connection: Connection, letters: Sequence[DeadLetter], now: datetime) -> None:
    """Keep records as they came, once for each position; the caller commits."""
    if not letters:
        return
    rows: list[dict[str, Any]] = [
        {
            "topic": letter.record.topic,
            "partition": letter.record.partition,
            "offset": letter.record.offset,
            "reason": letter.reason,
            "key": letter.record.key,
            "value": letter.record.value,
            "headers": {
                name: value.decode("utf-8", "replace").replace("\x00", "\ufffd")
                for name, value in letter.record.headers.items()
            },
            "created_at": now,
        }
        for letter in letters
    ]
    statement = insert(progress.dead_letters).on_conflict_do_nothing(index_elements=["topic", "partition", "offset"])
    connection.execute(statement, rows)
