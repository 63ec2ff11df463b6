"""The events of the api: each leaves by ``catalog.outbox``, in the transaction that causes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from shared.db import catalog
from shared.events.envelope import Event, encode
from shared.outbox.write import write
from shared.records import OutgoingRecord

SOURCE: Final = "/autos/api"
"""The CloudEvents ``source`` of everything that the api publishes."""


def event_record(event: Event, topic: str, *, event_id: str, now: datetime, traceparent: str | None) -> OutgoingRecord:
    """``event`` as a record for ``topic``. A repeat of what causes it has to give the same ``event_id``."""
    return encode(event, topic, event_id=event_id, source=SOURCE, time=now, traceparent=traceparent)


def publish(connection: Connection, records: Sequence[OutgoingRecord], now: datetime) -> None:
    """Have the records published once the caller's transaction has committed, in their order."""
    write(connection, catalog.outbox, records, now=now)
