"""SQL of the bodies of ``source.degraded`` and ``source.recovered``: the change of a source that was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from services.notifier.sending.body_key import BodyKey
from shared.webhooks.facts import SourceChanged

_EVENTS: Final = text("""
SELECT event_id::text, source, state, since, at, reason, degraded_since FROM delivery.source_events
 WHERE event_id = ANY (CAST(:ids AS uuid[]))
""")


def load_source_events(connection: Connection, keys: Sequence[BodyKey]) -> dict[BodyKey, SourceChanged]:
    """The change of each body, whose id stands where others have their job's; none for one that is gone."""
    if not keys:
        return {}
    rows = connection.execute(_EVENTS, {"ids": sorted({key.job_id for key in keys})})
    found = {
        row.event_id: SourceChanged(row.source, row.state, row.since, row.at, row.reason, row.degraded_since)
        for row in rows
    }
    return {key: found[key.job_id] for key in keys if key.job_id in found}
