"""The SQL of the sources' status: what the downloaders wrote of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, TextClause, text

from shared.domain.source_state import DEAD_SECONDS, HOURS_KEPT_DAYS

_STATES: Final = text("""
SELECT s.source, s.state, s.reason, s.since,
       (SELECT max(seen_at) FROM source.workers AS w WHERE w.source = s.source) AS seen_at,
       EXISTS (SELECT FROM source.workers AS w
                WHERE w.source = s.source AND w.seen_at > now() - make_interval(secs => :alive)) AS alive
  FROM source.states AS s ORDER BY s.source
""")


def _counts_by(column: str) -> TextClause:
    """``column`` is a constant of the program."""
    return text(f"""
SELECT source, {column}, outcome, bucket, sum(requests)::bigint AS requests
  FROM source.request_hours
 WHERE hour >= now() - make_interval(days => {HOURS_KEPT_DAYS})
   AND (CAST(:court AS text) IS NULL OR court = :court)
 GROUP BY source, {column}, outcome, bucket ORDER BY source, {column}
""")  # noqa: S608


_BY_HOUR: Final = _counts_by("hour")
_BY_COURT: Final = _counts_by("court")


def read_states(connection: Connection) -> Sequence[Row[Any]]:
    """How each source stands that a downloader has ever reported."""
    return connection.execute(_STATES, {"alive": DEAD_SECONDS}).all()


def read_counts(connection: Connection, court: str | None) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """The requests of 30 days by hour and by court; of one court alone where it is named."""
    parameters = {"court": court}
    return connection.execute(_BY_HOUR, parameters).all(), connection.execute(_BY_COURT, parameters).all()
