"""The SQL of the sources' status: what the downloaders wrote of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

ALIVE_SECONDS: Final = 10.0
"""A downloader that has been silent for longer counts for dead."""

_STATES: Final = text("""
SELECT s.source, s.state, s.reason, s.since,
       (SELECT max(seen_at) FROM source.workers AS w WHERE w.source = s.source) AS seen_at,
       EXISTS (SELECT FROM source.workers AS w
                WHERE w.source = s.source AND w.seen_at > now() - make_interval(secs => :alive)) AS alive
  FROM source.states AS s ORDER BY s.source
""")
_BY_HOUR: Final = text("""
SELECT source, hour, outcome, bucket, sum(requests)::bigint AS requests
  FROM source.request_hours
 WHERE hour >= now() - interval '30 days' AND (CAST(:court AS text) IS NULL OR court = :court)
 GROUP BY source, hour, outcome, bucket ORDER BY source, hour
""")
_BY_COURT: Final = text("""
SELECT source, court, outcome, bucket, sum(requests)::bigint AS requests
  FROM source.request_hours
 WHERE hour >= now() - interval '30 days' AND (CAST(:court AS text) IS NULL OR court = :court)
 GROUP BY source, court, outcome, bucket ORDER BY source, court
""")


def read_states(connection: Connection) -> Sequence[Row[Any]]:
    """How each source stands that a downloader has ever reported."""
    return connection.execute(_STATES, {"alive": ALIVE_SECONDS}).all()


def read_counts(connection: Connection, court: str | None) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """The requests of 30 days by hour and by court; of one court alone where it is named."""
    parameters = {"court": court}
    return connection.execute(_BY_HOUR, parameters).all(), connection.execute(_BY_COURT, parameters).all()
