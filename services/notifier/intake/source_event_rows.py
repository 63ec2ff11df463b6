"""SQL of a source's changes as events of clients: of the endpoints that want them, and of every client's feed.

The event's id stands where others have their job's, and there is no case. The caller has made sure that it is the only
one to tell of this change (alerts/source_notices.py), and commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Final

from sqlalchemy import Connection, text

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.intake import feed_rows
from services.notifier.intake.completion_rows import add_deliveries
from services.notifier.intake.registered_rows import subscribe, subscription_row
from shared.webhooks.facts import SourceChanged
from shared.webhooks.registry import made_of

KEPT: Final = timedelta(days=365)
"""Afterwards a delivery cannot be sent again: what it was about is gone."""
_ADD: Final = text("""
INSERT INTO delivery.source_events (event_id, source, state, reason, since, degraded_since, at)
VALUES (:event_id, :source, :state, :reason, :since, :degraded_since, :at) ON CONFLICT DO NOTHING
""")
_PURGE: Final = text("DELETE FROM delivery.source_events WHERE at < :before")
_INTERESTED: Final = text("""
SELECT w.endpoint_id::text, w.client_id, w.url, w.rate
  FROM catalog.webhook_endpoints AS w JOIN catalog.clients AS c USING (client_id)
 WHERE c.disabled_at IS NULL AND :type = ANY (w.events) ORDER BY w.endpoint_id
""")


def add(
    connection: Connection, event_id: str, change: SourceChanged, now: datetime
) -> tuple[int, Sequence[DueDelivery]]:
    """Keep a change of a source, with its deliveries and its events in the feeds.

    How many deliveries there are, and those that can be sent now.
    """
    fields = ("source", "state", "reason", "since", "degraded_since", "at")
    connection.execute(_ADD, {"event_id": event_id, **{name: getattr(change, name) for name in fields}})
    connection.execute(_PURGE, {"before": now - KEPT})
    kinds = [kind.name for kind in made_of(SourceChanged) if kind.applies(change)]
    rows = []
    for kind in kinds:
        for found in connection.execute(_INTERESTED, {"type": kind}):
            about = SimpleNamespace(**found._mapping, job_id=event_id, process_number=None, sealed=False)
            rows.append(SimpleNamespace(**subscription_row(about, kind), rate=found.rate))
    subscribe(connection, [{**vars(row)} for row in rows], now)
    # Nearly the last: the clients' feeds are locked from here to the commit.
    feed_rows.append_for_all(connection, event_id, kinds, now)
    return add_deliveries(connection, rows, now)
