"""SQL of the clients' feeds: a job's end becomes an event of each client whose case it is, numbered without holes.

The caller has locked the jobs (:func:`services.notifier.intake.completion_rows.lock_jobs`), so that an end that comes
twice is one event. The rows of ``delivery.feeds`` are locked in the order of their clients, and until the commit:
shared/db/feed.py says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from shared.db.channels import FEED
from shared.db.recordset import as_json
from shared.webhooks.facts import PROCESS_COMPLETED

_MISSING: Final = text("""
SELECT r.client_id, c.job_id::text, c.process_number
  FROM delivery.completions c JOIN catalog.process_requests r USING (process_number)
  LEFT JOIN delivery.feed_events f ON f.client_id = r.client_id AND f.job_id = c.job_id AND f.event_type = :type
 WHERE c.job_id = ANY (CAST(:jobs AS uuid[])) AND f.position IS NULL
 ORDER BY r.client_id, c.completed_at, c.job_id
""")
# A client's request may be committed a moment after the end of the job that it was told of.
_LATE: Final = text("""
SELECT DISTINCT c.job_id::text
  FROM delivery.completions c JOIN catalog.process_requests r USING (process_number)
  LEFT JOIN delivery.feed_events f ON f.client_id = r.client_id AND f.job_id = c.job_id AND f.event_type = :type
 WHERE c.recorded_at >= :since AND r.first_requested_at <= c.recorded_at + :slack AND f.position IS NULL
 LIMIT :most
""")
_NUMBER: Final = text("""
INSERT INTO delivery.feeds AS known (client_id, last_position)
SELECT client_id, count FROM json_to_recordset(CAST(:rows AS json)) AS r (client_id text, count bigint)
 ORDER BY client_id
    ON CONFLICT (client_id) DO UPDATE SET last_position = known.last_position + excluded.last_position
RETURNING client_id, last_position
""")
_APPEND: Final = text("""
INSERT INTO delivery.feed_events (client_id, position, event_type, job_id, process_number, recorded_at)
SELECT client_id, position, :type, job_id, process_number, :now
  FROM json_to_recordset(CAST(:rows AS json)) AS r (client_id text, position bigint, job_id uuid, process_number text)
""")
_NOTIFY: Final = text("SELECT pg_notify(:channel, client_id) FROM unnest(CAST(:clients AS text[])) AS client_id")
_OLDEST: Final = text(
    "SELECT client_id FROM delivery.feed_events WHERE recorded_at < :before ORDER BY recorded_at LIMIT 1"
)
_LOCK: Final = text("SELECT FROM delivery.feeds WHERE client_id = :client FOR UPDATE")
_PURGE: Final = text("""
WITH gone AS (
    DELETE FROM delivery.feed_events WHERE client_id = :client AND position IN (
        SELECT position FROM delivery.feed_events
         WHERE client_id = :client AND recorded_at < :before ORDER BY position LIMIT :most)
    RETURNING position)
UPDATE delivery.feeds SET purged_position = GREATEST(purged_position, (SELECT max(position) FROM gone))
 WHERE client_id = :client RETURNING (SELECT count(*) FROM gone)
""")


def append_ends(connection: Connection, job_ids: Sequence[str], now: datetime) -> int:
    """An event for each client of the cases of these jobs, where they have ended and it has none; how many."""
    missing = connection.execute(_MISSING, {"jobs": list(set(job_ids)), "type": PROCESS_COMPLETED}).all()
    if not missing:
        return 0
    counts: dict[str, int] = {}
    for row in missing:
        counts[row.client_id] = counts.get(row.client_id, 0) + 1
    wanted = [{"client_id": client, "count": count} for client, count in counts.items()]
    numbered = connection.execute(_NUMBER, {"rows": as_json(wanted)})
    next_position = {row.client_id: row.last_position - counts[row.client_id] + 1 for row in numbered}
    rows = []
    for row in missing:
        position = next_position[row.client_id]
        next_position[row.client_id] += 1
        rows.append(
            {
                "client_id": row.client_id,
                "position": position,
                "job_id": row.job_id,
                "process_number": row.process_number,
            }
        )
    connection.execute(_APPEND, {"rows": as_json(rows), "type": PROCESS_COMPLETED, "now": now})
    connection.execute(_NOTIFY, {"channel": FEED, "clients": list(counts)})
    return len(rows)


def late_ends(connection: Connection, since: datetime, *, slack: timedelta, most: int) -> list[str]:
    """Jobs whose end was recorded since then, and is no event yet of a client that had asked for the case by then."""
    parameters = {"since": since, "slack": slack, "most": most, "type": PROCESS_COMPLETED}
    return [row.job_id for row in connection.execute(_LATE, parameters)]


def purge(connection: Connection, before: datetime, *, most: int) -> int:
    """Delete at most ``most`` events of one client that are older, and note up to where; how many were deleted."""
    oldest = connection.execute(_OLDEST, {"before": before}).one_or_none()
    if oldest is None:
        return 0
    connection.execute(_LOCK, {"client": oldest.client_id})
    parameters = {"client": oldest.client_id, "before": before, "most": most}
    deleted: int = connection.execute(_PURGE, parameters).scalar_one()
    return deleted
