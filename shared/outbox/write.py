"""Put events into a schema's outbox, in the transaction of the change that they tell about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Insert, Table, insert

from shared.kafka.records import OutgoingRecord


def write(connection: Connection, outbox: Table, records: Sequence[OutgoingRecord], *, now: datetime) -> None:
    """Add records (made by :func:`shared.events.envelope.encode`) in their order; the caller commits.

    A record's ``ce_id`` is the row's id, so a consumer can drop what a relay published twice.
    """
    if not records:
        return
    connection.execute(
        _into(outbox),
        [
            {
                "id": record.headers["ce_id"].decode(),
                "aggregatetype": record.topic,
                "aggregateid": record.key.decode(),
                "type": record.headers["ce_type"].decode(),
                "payload": (record.value or b"").decode(),
                "headers": {name: value.decode() for name, value in record.headers.items()},
                "created_at": now,
            }
            for record in records
        ],
    )


@cache
def _into(outbox: Table) -> Insert:
    """Made once for each schema: making a statement takes longer than it takes to run."""
    return insert(outbox)
