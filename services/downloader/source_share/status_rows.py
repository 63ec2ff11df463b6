"""The rows of a source's status: what each worker finds, what all find together, and the counts by hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from services.downloader.source_share.request_counts import CountKey
from shared.db.recordset import as_json
from shared.domain.source_state import DEAD_SECONDS, HOURS_KEPT_DAYS, OPEN_FINDING, SourceFinding, SourceState, together

_REPORT: Final = text("""
UPDATE source.workers SET state = :state, reason = :reason,
       state_since = now() - make_interval(secs => :seconds),
       answered_at = GREATEST(answered_at, now() - make_interval(secs => CAST(:answered_ago AS float)))
 WHERE worker_id = :worker_id
""")
_FINDINGS: Final = text("""
SELECT state, reason, extract(epoch FROM now() - state_since)::float AS seconds,
       extract(epoch FROM now() - answered_at)::float AS answered_ago
  FROM source.workers
 WHERE source = :source AND state IS NOT NULL AND seen_at > now() - make_interval(secs => :alive)
""")
# The worker that sees the change first writes it; the others then find nothing to change.
_STATE: Final = text("""
INSERT INTO source.states AS s (source, state, reason, since)
VALUES (:source, :state, :reason, now() - make_interval(secs => :seconds))
    ON CONFLICT (source) DO UPDATE SET state = excluded.state, reason = excluded.reason,
       since = CASE WHEN s.state = excluded.state THEN s.since ELSE greatest(s.since, excluded.since) END
 WHERE s.state <> excluded.state OR s.reason IS DISTINCT FROM excluded.reason
""")
_COUNT: Final = text("""
INSERT INTO source.request_hours AS h (source, court, hour, outcome, bucket, requests)
SELECT :source, court, hour, outcome, bucket, requests
  FROM json_to_recordset(CAST(:rows AS json))
       AS r (court text, hour timestamptz, outcome text, bucket smallint, requests bigint)
 ORDER BY court, hour, outcome, bucket
    ON CONFLICT (source, court, hour, outcome, bucket) DO UPDATE SET requests = h.requests + excluded.requests
""")
_PRUNE: Final = text("DELETE FROM source.request_hours WHERE hour < now() - make_interval(days => :days)")


def report(connection: Connection, worker_id: str, source: str, finding: SourceFinding) -> SourceFinding:
    """Write what this worker finds (``worker_id`` is its row's) and what follows for all; returns that.

    A change to open has no beginning but now: nobody was asked at the moment at which it came back.
    """
    connection.execute(
        _REPORT,
        {
            "worker_id": worker_id,
            "state": finding.state,
            "reason": finding.reason,
            "seconds": finding.seconds,
            "answered_ago": finding.answered_ago,
        },
    )
    rows = connection.execute(_FINDINGS, {"source": source, "alive": DEAD_SECONDS})
    findings = [SourceFinding(SourceState(row.state), row.reason, row.seconds, row.answered_ago) for row in rows]
    if not findings:  # this worker has left meanwhile, and no other is there
        return OPEN_FINDING
    found = together(findings)
    connection.execute(
        _STATE, {"source": source, "state": found.state, "reason": found.reason, "seconds": found.seconds}
    )
    return found


def add(connection: Connection, source: str, counts: Mapping[CountKey, int]) -> None:
    """Add the counts to those of their hours. In one order, so that workers do not wait for each other in a circle."""
    if counts:
        rows = [{**key._asdict(), "requests": requests} for key, requests in counts.items()]
        connection.execute(_COUNT, {"source": source, "rows": as_json(rows)})


def prune(connection: Connection) -> None:
    """Delete hours that are older than HOURS_KEPT_DAYS."""
    connection.execute(_PRUNE, {"days": HOURS_KEPT_DAYS})
