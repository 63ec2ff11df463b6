"""The SQL of an outbox table: what waits, what is published, what is set aside. One statement each, made once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, text

from shared.db.prepared import PreparedText
from shared.records import OutgoingRecord

LARGEST_PAYLOAD: Final = 8 * 1024 * 1024
"""Bytes: a payload beyond it is not read at all; no broker's limit comes near."""
BATCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the payloads that are read at once, whatever their number."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row that waits. ``payload`` is None when it is larger than LARGEST_PAYLOAD."""

    seq: int
    topic: str
    key: str
    type: str
    payload: str | None
    headers: Any

    def record(self) -> OutgoingRecord:
        """The record to publish. Raises ValueError, TypeError or AttributeError for what is none."""
        if self.payload is None:
            raise ValueError("the payload is not read")
        if not isinstance(self.headers, Mapping):
            raise TypeError("the headers are no map")
        headers = {_utf8(name).decode(): _utf8(value) for name, value in self.headers.items()}
        return OutgoingRecord(self.topic, _utf8(self.key), _utf8(self.payload), headers)


def may_be_cut(rows: Sequence[OutboxRow], most: int) -> bool:
    """Whether there may be more rows behind these: as many were read as were wanted (``most``), or as many bytes."""
    size = sum(LARGEST_PAYLOAD if row.payload is None else len(row.payload.encode()) for row in rows)
    return len(rows) == most or size > BATCH_BYTES - LARGEST_PAYLOAD


def _utf8(text: Any) -> bytes:
    # A lone surrogate must be found here: the client's own code ends the process over one in a header's name.
    if not isinstance(text, str):
        raise TypeError("not a text")
    return text.encode()


@dataclass(frozen=True)
class Waiting:
    """How an outbox stands. ``seconds`` is the age of the oldest row that waits, 0.0 without one."""

    rows: int
    seconds: float
    set_aside: int


class OutboxRows:
    """The statements for one outbox table. The caller commits."""

    def __init__(self, outbox: Table) -> None:
        name = outbox.fullname
        # The oldest rows, as many as their payloads' bytes allow, but one at least.
        self._read = PreparedText(
            f"read_{name.replace('.', '_')}",
            f"""
        SELECT seq, aggregatetype, aggregateid, type,
               CASE WHEN bytes <= :largest THEN payload END AS payload, headers
          FROM (SELECT *, octet_length(payload) AS bytes,
                       sum(least(octet_length(payload), :largest)) OVER (ORDER BY seq) AS upto
                  FROM (SELECT seq, aggregatetype, aggregateid, type, payload, headers FROM {name}
                         WHERE published_at IS NULL AND set_aside_at IS NULL AND aggregatetype <> ALL (:held)
                         ORDER BY seq LIMIT :most) AS oldest) AS sized
         WHERE upto <= :bytes OR seq = (
               SELECT min(seq) FROM {name}
                WHERE published_at IS NULL AND set_aside_at IS NULL AND aggregatetype <> ALL (:held))
         ORDER BY seq
        """,  # noqa: S608 - the name of one of our own tables
            most="bigint",
            held="text[]",
            largest="int",
            bytes="bigint",
        )
        self._mark = PreparedText(
            f"mark_{name.replace('.', '_')}",
            f"UPDATE {name} SET published_at = :at WHERE seq = ANY (:seqs)",  # noqa: S608
            at="timestamptz",
            seqs="bigint[]",
        )
        self._set_aside = text(f"""
        UPDATE {name} SET set_aside_at = :at, reason = :reason
         WHERE seq = :seq AND published_at IS NULL AND set_aside_at IS NULL
        """)  # noqa: S608
        self._waiting = text(f"""
        SELECT (SELECT count(*) FROM {name} WHERE published_at IS NULL AND set_aside_at IS NULL) AS rows,
               coalesce(extract(epoch FROM clock_timestamp() - (
                   SELECT created_at FROM {name} WHERE published_at IS NULL AND set_aside_at IS NULL
                    ORDER BY seq LIMIT 1)), 0)::float AS seconds,
               (SELECT count(*) FROM {name} WHERE set_aside_at IS NOT NULL) AS set_aside
        """)  # noqa: S608

    def read(self, connection: Connection, most: int, held: Collection[str]) -> list[OutboxRow]:
        """The oldest rows that wait, at most ``most`` and BATCH_BYTES of payload, but one at least.

        Those of the topics in ``held`` are left out, in their order, and stand in nobody's way.
        """
        parameters = {"most": most, "held": list(held), "largest": LARGEST_PAYLOAD, "bytes": BATCH_BYTES}
        return [
            OutboxRow(row.seq, row.aggregatetype, row.aggregateid, row.type, row.payload, row.headers)
            for row in self._read.run(connection, parameters)
        ]

    def mark_published(self, connection: Connection, seqs: Sequence[int], now: datetime) -> None:
        """Record that the broker has acknowledged these."""
        self._mark.run(connection, {"at": now, "seqs": list(seqs)})

    def set_aside(self, connection: Connection, seq: int, reason: str, now: datetime) -> bool:
        """Record that the broker will never take this row; False when it is published or set aside already."""
        done = connection.execute(self._set_aside, {"at": now, "reason": reason, "seq": seq})
        return done.rowcount == 1

    def waiting(self, connection: Connection) -> Waiting:
        """How the outbox stands."""
        row = connection.execute(self._waiting).one()
        return Waiting(row.rows, max(0.0, row.seconds), row.set_aside)
