"""A batch of records to one transaction: decode, set aside what is rejected, apply, count.

The whole batch is committed or nothing of it. When one of its events cannot be stored (a number too large for its
column), or breaks the projection, the batch is halved until that event is alone; it becomes a row of
``progress.dead_letters`` and the rest is applied in order. Only the database that is away is waited for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from services.status.metrics import StatusMetrics
from services.status.projection.apply import Applied, Projection
from services.status.projection.rows import Occurrence
from shared.clock import Clock, plausible, plausible_ms
from shared.db import progress
from shared.db.engine import Database
from shared.db.errors import UNSTORABLE
from shared.errors import InfrastructureAway, PoisonRecord
from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobEvent,
    JobPlanned,
)
from shared.events.envelope import decode, header, traceparent
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.consumer.dead_letter import reason_of
from shared.records import Record
from shared.tracing.records import batch_span

_TYPES: Final[dict[str, type[JobEvent]]] = {
    model.TYPE: model for model in (JobPlanned, JobAborted, DocumentStarted, DocumentAvailable, DocumentFailed)
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RejectedRecord:
    """A record that can never be applied, and why (a snake_case code)."""

    record: Record
    reason: str


def occurrence(record: Record) -> Occurrence:
    """The event of a record and its time: ``ce_time``, else the broker's. Raises PoisonRecord, also ``no_time``.

    A time that nobody can mean (shared/clock.py) counts as none: it would be the first or the last of all for ever.
    """
    return Occurrence(decode(record, _TYPES), _time(record), traceparent(record))


def _time(record: Record) -> datetime:
    written = header(record.headers, "ce_time")
    if written is not None:
        try:
            moment = plausible(datetime.fromisoformat(written))
        except ValueError:
            moment = None
        if moment is not None:
            return moment
    moment = plausible_ms(record.timestamp_ms)
    if moment is None:
        raise PoisonRecord("no_time")
    return moment


def decode_all(records: Sequence[Record]) -> tuple[list[Occurrence], list[RejectedRecord]]:
    """The events of a batch, in order, and the records that are none."""
    occurrences: list[Occurrence] = []
    rejected: list[RejectedRecord] = []
    for record in records:
        try:
            occurrences.append(occurrence(record))
        # Whatever decoding raises is about this record alone.
        except Exception as refused:  # noqa: BLE001
            rejected.append(RejectedRecord(record, reason_of(refused)))
    return occurrences, rejected


class BatchWriter:
    """Writes batches of records into the projection; used from one thread at a time."""

    def __init__(self, database: Database, projection: Projection, clock: Clock, metrics: StatusMetrics) -> None:
        self._database = database
        self._projection = projection
        self._clock = clock
        self._metrics = metrics

    def write(self, records: Sequence[Record]) -> Mapping[str, int]:
        """Commit what the records say; by job that changed, the documents that it still waits for (Applied.left).

        All or nothing, but for a record that can never be applied: it becomes a row of ``progress.dead_letters``, and
        the rest is committed in two or more parts. Blocks.

        Raises InfrastructureAway when nothing of the rest can be committed now. After an exception the same records can
        be written again: what was committed changes nothing twice.
        """
        if not records:
            return {}
        began = time.perf_counter()
        occurrences, rejected = decode_all(records)
        try:
            with batch_span(DOCUMENT_EVENTS, records):
                applied = self._commit(occurrences, rejected)
        except InfrastructureAway:
            raise
        # Whatever else it is, a record of these is at fault: it is found, and the others are applied.
        except Exception as error:  # noqa: BLE001
            return self._write_halves(records, error)
        self._count(records, applied, rejected, time.perf_counter() - began)
        return applied.left

    def _write_halves(self, records: Sequence[Record], error: Exception) -> Mapping[str, int]:
        if len(records) > 1:
            middle = len(records) // 2
            return {**self.write(records[:middle]), **self.write(records[middle:])}
        record = records[0]
        reason = error.reason if isinstance(error, PoisonRecord) else UNSTORABLE
        _log.error(
            "Event cannot be applied, kept as a dead letter",
            extra={"reason": reason, "error": type(error).__name__, "partition": record.partition, "at": record.offset},
        )
        rejected = [RejectedRecord(record, reason)]
        try:
            applied = self._commit([], rejected)
        except InfrastructureAway:
            raise
        # Not even as it came: where it lies in the topic, and why, can always be kept.
        except Exception:  # noqa: BLE001
            rejected = [RejectedRecord(replace(record, key=None, value=None, headers={}), reason)]
            applied = self._commit([], rejected)
        self._count(records, applied, rejected, 0.0)
        return applied.left

    def _commit(self, occurrences: Sequence[Occurrence], rejected: Sequence[RejectedRecord]) -> Applied:
        now = self._clock()
        with self._database.transaction() as connection:
            applied = self._projection.apply(connection, occurrences, now)
            keep_rejected(connection, rejected, now)
        return applied

    def _count(
        self, records: Sequence[Record], applied: Applied, rejected: Sequence[RejectedRecord], seconds: float
    ) -> None:
        self._metrics.events.inc(len(records))
        self._metrics.seconds.observe(seconds)
        for completion in applied.completions:
            self._metrics.completions.labels(completion.status.value).inc()
            waited = (completion.completed_at - completion.created_at).total_seconds()
            self._metrics.job_seconds.observe(max(0.0, waited))
        for refused in rejected:
            self._metrics.dead_letters.labels(refused.reason).inc()
        age = self._clock().timestamp() - records[-1].timestamp_ms / 1000
        self._metrics.lag_seconds.set(max(0.0, age))


def keep_rejected(connection: Connection, rejected: Sequence[RejectedRecord], now: datetime) -> None:
    """Keep records as they came, once for each position (a repeat changes nothing); the caller commits."""
    if not rejected:
        return
    rows: list[dict[str, Any]] = [
        {
            "topic": refused.record.topic,
            "partition": refused.record.partition,
            "offset": refused.record.offset,
            "reason": refused.reason,
            "key": refused.record.key,
            "value": refused.record.value,
            "headers": {_shown(name): _shown(value.decode("utf-8", "replace")) for name, value in headers},
            "created_at": now,
        }
        for refused in rejected
        for headers in (refused.record.headers.items(),)
    ]
    statement = insert(progress.dead_letters).on_conflict_do_nothing(index_elements=["topic", "partition", "offset"])
    connection.execute(statement, rows)


def _shown(text: str) -> str:
    """A text as PostgreSQL can hold it: no NUL, no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
