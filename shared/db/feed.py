"""``delivery.feeds`` and ``delivery.feed_events``: each client's events in order. Written by notifier, read by api.

The number of an event is given under the lock of its client's row in ``feeds``, which is held until the commit. So a
client's numbers have no holes, and become visible in their order: who has read up to a number has missed nothing
before it (docs/adr/0030-feed.md).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from shared.db.delivery import SCHEMA
from shared.db.tables import METADATA, identifier, moment
from shared.events.envelope import deterministic_id

feeds: Final = Table(
    "feeds",
    METADATA,
    Column("client_id", Text, primary_key=True),
    # Of the newest event.
    Column("last_position", BigInteger, nullable=False),
    # Of the newest event that was deleted because of its age.
    Column("purged_position", BigInteger, nullable=False, server_default=text("0")),
    schema=SCHEMA,
)

feed_events: Final = Table(
    "feed_events",
    METADATA,
    Column("client_id", Text, primary_key=True),
    # 1, 2, … of each client.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    # The name of a type (shared/webhooks/registry.py).
    Column("event_type", Text, nullable=False),
    # Or the source event's (delivery.source_events), which has no case.
    identifier("job_id", nullable=False),
    # Which of the events of its type, where a job causes several.
    Column("part", Integer, nullable=False, server_default=text("0")),
    Column("process_number", Text),
    moment("recorded_at", nullable=False),
    Index("uq_feed_events_event", "client_id", "job_id", "event_type", "part", unique=True),
    Index("ix_feed_events_case", "client_id", "process_number", "position"),
    Index("ix_feed_events_recorded", "recorded_at"),
    schema=SCHEMA,
)


def feed_event_id(client_id: str, event_type: str, job_id: str, part: int) -> str:
    """The id of an event in a client's feed: the same however often it is read."""
    return deterministic_id("feed", client_id, event_type, job_id, part)
