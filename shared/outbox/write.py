"""Put events into a schema's outbox, in the transaction of the change that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Table

from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.records import OutgoingRecord


def insert_rows(outbox: Table) -> str:
    """The INSERT of records into an outbox, with the parameters ``rows`` (:func:`as_rows`) and ``now``.

    One statement for any number of rows: they travel as one JSON text, in the order in which they get their seq.
    """
    return f"""
    INSERT INTO {outbox.fullname} (id, aggregatetype, aggregateid, type, payload, headers, created_at)
    SELECT id, topic, key, type, payload, headers, :now
      FROM ROWS FROM (
           json_to_recordset(CAST(:rows AS json))
               AS (id uuid, topic text, key text, type text, payload text, headers jsonb)
      ) WITH ORDINALITY AS r (id, topic, key, type, payload, headers, place)
     ORDER BY place
    """  # noqa: S608 - the name of one of our own tables


def as_rows(records: Sequence[OutgoingRecord]) -> str:
    """Records (made by :func:`shared.events.envelope.encode`) as the parameter ``rows``, in their order.

    A record's ``ce_id`` is the row's id, so a consumer can drop what a relay published twice. The table takes a second
    row with the same id; consumers drop it likewise.
    """
    return as_json(
        [
            {
                "id": record.headers["ce_id"].decode(),
                "topic": record.topic,
                "key": record.key.decode(),
                "type": record.headers["ce_type"].decode(),
                "payload": (record.value or b"").decode(),
                "headers": {name: value.decode() for name, value in record.headers.items()},
            }
            for record in records
        ]
    )


@lru_cache
def _insert(outbox: Table) -> PreparedText:
    name = f"write_{outbox.fullname.replace('.', '_')}"
    return PreparedText(name, insert_rows(outbox), rows="text", now="timestamptz")


def write(connection: Connection, outbox: Table, records: Sequence[OutgoingRecord], *, now: datetime) -> None:
    """Add records in their order; the caller commits.

    After the commit ``OutboxRelay.wake`` saves the wait for the notification.
    """
    if records:
        run_together(connection, new_rows(outbox, records, now=now))


def new_rows(outbox: Table, records: Sequence[OutgoingRecord], *, now: datetime) -> PreparedCall:
    """The statement of :func:`write`, to be sent with others."""
    return PreparedCall(_insert(outbox), {"rows": as_rows(records), "now": now})
