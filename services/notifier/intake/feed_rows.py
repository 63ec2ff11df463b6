"""SQL of the clients' feeds: what happens to a job becomes events of each client of its case, numbered without holes.

The caller has locked the jobs (:func:`services.notifier.intake.job_locks.lock_jobs`), so that what comes twice is
one event. The rows of ``delivery.feeds`` are locked in the order of their clients, and until the commit:
shared/db/feed.py says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, text

from shared.db.channels import FEED
from shared.db.delivery import completions
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.webhooks.facts import PROCESS_COMPLETED, DocumentsStored, JobEnded
from shared.webhooks.registry import made_of

_ENDS: Final = made_of(JobEnded)
_BATCHES: Final = tuple(kind.name for kind in made_of(DocumentsStored))
# The clients are locked in one order, each gets its numbers, and its readers are woken by the commit.
_NUMBERED: Final = """
numbered AS (
    INSERT INTO delivery.feeds AS known (client_id, last_position)
    SELECT client_id, count(*) FROM events GROUP BY client_id ORDER BY client_id
        ON CONFLICT (client_id) DO UPDATE SET last_position = known.last_position + excluded.last_position
    RETURNING client_id, last_position),
added AS (
    INSERT INTO delivery.feed_events (client_id, position, event_type, job_id, part, process_number, recorded_at)
    SELECT e.client_id, n.last_position - count(*) OVER (PARTITION BY e.client_id)
               + row_number() OVER (PARTITION BY e.client_id ORDER BY e.place),
           e.event_type, e.job_id, e.part, e.process_number, :now
      FROM events AS e JOIN numbered AS n USING (client_id))
SELECT pg_notify(:channel, client_id), (SELECT count(*) FROM events AS e WHERE e.client_id = n.client_id) AS events
  FROM numbered AS n"""
# A batch of documents is an event of each client that has asked for the case by now, before the job's end. In order: a
# job's documents before its end, what ended before what ended later. Who asked and what is there is looked up row by
# row, by its index (OFFSET 0 and LIMIT see to it), however many events the server expects.
_APPEND_MISSING: Final = PreparedText(
    "notifier_append_missing",
    f"""
WITH told (job_id, process_number, event_type, part, is_end, ended_at) AS (
    SELECT b.job_id, b.process_number, t.type, b.part, false,
           (SELECT c.completed_at FROM delivery.completions AS c WHERE c.job_id = b.job_id)
      FROM delivery.document_batches AS b CROSS JOIN unnest(:batches) AS t (type)
     WHERE b.job_id = ANY (CAST(:jobs AS uuid[]))
     UNION ALL
    SELECT c.job_id, c.process_number, t.type, 0, true, c.completed_at
      FROM delivery.completions AS c CROSS JOIN unnest(:ends) AS t (type)
     WHERE c.job_id = ANY (CAST(:jobs AS uuid[]))
       AND (c.job_id::text, t.type) NOT IN (SELECT * FROM unnest(:not_jobs, :not_types))),
events AS MATERIALIZED (
    SELECT r.client_id, t.event_type, t.job_id, t.part, t.process_number,
           row_number() OVER (ORDER BY COALESCE(t.ended_at, 'infinity'), t.job_id, t.is_end, t.part, t.event_type)
               AS place
      FROM told AS t
     CROSS JOIN LATERAL (
           SELECT client_id FROM catalog.process_requests WHERE process_number = t.process_number OFFSET 0) AS r
      LEFT JOIN LATERAL (
           SELECT true AS known FROM delivery.feed_events AS f
            WHERE f.client_id = r.client_id AND f.job_id = t.job_id AND f.event_type = t.event_type AND f.part = t.part
            LIMIT 1) AS same ON true
      LEFT JOIN LATERAL (
           SELECT true AS known FROM delivery.feed_events AS f
            WHERE f.client_id = r.client_id AND f.job_id = t.job_id AND f.event_type = :end
            LIMIT 1) AS ended ON true
     WHERE same.known IS NULL AND (t.is_end OR ended.known IS NULL)),
{_NUMBERED}
""",  # noqa: S608
    jobs="text[]",
    batches="text[]",
    ends="text[]",
    end="text",
    not_jobs="text[]",
    not_types="text[]",
    now="timestamptz",
    channel="text",
)
# A client's request may be committed a moment after the end of the job that it was told of. A difference of two sets,
# each read by the index on its moment: looked up one by one, as long as statistics are young the server reads all of a
# client's events for each end. An event is younger than its end; a minute, since clocks may differ.
_LATE: Final = PreparedText(
    "notifier_late_ends",
    """
SELECT DISTINCT job_id::text
  FROM (SELECT c.job_id, r.client_id
          FROM delivery.completions AS c
         CROSS JOIN LATERAL (
               SELECT client_id FROM catalog.process_requests
                WHERE process_number = c.process_number AND first_requested_at <= c.recorded_at + :slack OFFSET 0) AS r
         WHERE c.recorded_at >= :since
        EXCEPT
        SELECT job_id, client_id FROM delivery.feed_events
         WHERE recorded_at >= :since - interval '1 minute' AND event_type = :type) AS missing
 LIMIT :most
""",
    since="timestamptz",
    slack="interval",
    type="text",
    most="int",
)
# A client that may call; its keys say whether it may read the feed.
_CLIENTS: Final = text("SELECT client_id FROM catalog.clients WHERE disabled_at IS NULL ORDER BY client_id")
_APPEND: Final = PreparedText(
    "notifier_append_events",
    f"""
WITH events AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
           json_to_recordset(CAST(:rows AS json))
               AS (client_id text, event_type text, job_id uuid, part int, process_number text)
      ) WITH ORDINALITY AS r (client_id, event_type, job_id, part, process_number, place)),
{_NUMBERED}
""",  # noqa: S608
    rows="text",
    now="timestamptz",
    channel="text",
)
_PURGE_LOCK: Final = 0x66656564  # "feed": an advisory lock
_ALONE: Final = text("SELECT pg_try_advisory_xact_lock(:lock)")
_OLDEST: Final = text(
    "SELECT client_id FROM delivery.feed_events WHERE recorded_at < :before ORDER BY recorded_at LIMIT 1"
)
_LOCK: Final = text("SELECT FROM delivery.feeds WHERE client_id = :client FOR UPDATE")
_PURGE: Final = text("""
DELETE FROM delivery.feed_events WHERE client_id = :client AND position IN (
       SELECT position FROM delivery.feed_events
        WHERE client_id = :client AND recorded_at < :before ORDER BY position LIMIT :most)
RETURNING position, event_type, job_id::text, part
""")
_PURGED: Final = text("""
UPDATE delivery.feeds SET purged_position = GREATEST(purged_position, :last) WHERE client_id = :client
""")
# Batches of documents that nothing needs any more: no feed, no delivery, and not their job, which would tell anew.
_PURGE_BATCHES: Final = text("""
DELETE FROM delivery.document_batches AS b
 USING unnest(CAST(:jobs AS uuid[]), CAST(:parts AS int[])) AS gone (job_id, part)
 WHERE b.job_id = gone.job_id AND b.part = gone.part
   AND EXISTS (SELECT FROM delivery.completions AS c WHERE c.job_id = b.job_id)
   AND NOT EXISTS (SELECT FROM delivery.subscriptions AS s
                    WHERE s.job_id = b.job_id AND s.part = b.part AND s.event_type = ANY (:types))
   AND NOT EXISTS (SELECT FROM catalog.process_requests AS r
                     JOIN delivery.feed_events AS f ON f.client_id = r.client_id AND f.job_id = b.job_id
                          AND f.event_type = ANY (:types) AND f.part = b.part
                    WHERE r.process_number = b.process_number)
""")


def append(connection: Connection, job_ids: Sequence[str], now: datetime) -> int:
    """An event for each client of the cases of these jobs, for what has no event yet in its feed; how many.

    That is their batches of documents, then their ends. What is there already stays as it is, so that it may be
    called as often as one likes. The clients' feeds are locked from here to the end of the caller's transaction, which
    should be near, and readers that wait are woken by its commit.
    """
    ended = connection.execute(select(completions).where(completions.c.job_id.in_(list(job_ids)))).all()
    return sum(row.events for row in run_together(connection, missing_events(job_ids, ended, now)))


def missing_events(job_ids: Sequence[str], ended: Sequence[Any], now: datetime) -> PreparedCall:
    """What :func:`append` does, to be sent with other statements. ``ended`` are the ends of those jobs that have ended,
    with the fields of ProcessCompleted; they may be recorded by a statement before it.

    Endpoints and deliveries are added after it: whoever locks feeds and adds endpoints does so in this order.
    """
    left_out = [(end.job_id, kind.name) for end in ended for kind in _ENDS if not kind.applies(JobEnded.end(end))]
    return PreparedCall(
        _APPEND_MISSING,
        {
            "jobs": list(set(job_ids)),
            "batches": list(_BATCHES),
            "ends": [kind.name for kind in _ENDS],
            "end": PROCESS_COMPLETED,
            "not_jobs": [job_id for job_id, _ in left_out],
            "not_types": [name for _, name in left_out],
            "now": now,
            "channel": FEED,
        },
    )


def append_for_all(connection: Connection, event_id: str, types: Sequence[str], now: datetime) -> int:
    """An event of these types for every client, about no case: ``event_id`` stands for its job. As :func:`append`."""
    about = {"job_id": event_id, "process_number": None, "part": 0}
    clients = connection.execute(_CLIENTS).scalars().all()
    rows = [{"client_id": client, "event_type": name, **about} for client in clients for name in types]
    return _append(connection, rows, now) if rows else 0


def _append(connection: Connection, events: Sequence[dict[str, Any]], now: datetime) -> int:
    """Number these events of any clients in their order, and write them."""
    _APPEND.run(connection, {"rows": as_json(events), "now": now, "channel": FEED})
    return len(events)


def late_ends(connection: Connection, since: datetime, *, slack: timedelta, most: int) -> list[str]:
    """Jobs whose end was recorded since then, and is no event yet of a client that had asked for the case by then."""
    parameters = {"since": since, "slack": slack, "most": most, "type": PROCESS_COMPLETED}
    return [row.job_id for row in _LATE.run(connection, parameters)]


def purge(connection: Connection, before: datetime, *, most: int) -> int:
    """Delete at most ``most`` events of one client that are older, and note up to where; how many were deleted.

    None while another replica is at it.
    """
    if not connection.execute(_ALONE, {"lock": _PURGE_LOCK}).scalar_one():
        return 0
    oldest = connection.execute(_OLDEST, {"before": before}).one_or_none()
    if oldest is None:
        return 0
    client = {"client": oldest.client_id}
    connection.execute(_LOCK, client)
    gone = connection.execute(_PURGE, {**client, "before": before, "most": most}).all()
    connection.execute(_PURGED, {**client, "last": max(row.position for row in gone)})
    batches = [(row.job_id, row.part) for row in gone if row.event_type in _BATCHES]
    if batches:
        jobs, parts = zip(*batches, strict=True)
        connection.execute(_PURGE_BATCHES, {"jobs": list(jobs), "parts": list(parts), "types": list(_BATCHES)})
    return len(gone)
