"""What waits in the database, for the metrics: the api's outbox, and the oldest job that has not ended."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from services.api.metrics import Backlog
from shared.db.catalog import outbox
from shared.outbox.rows import OutboxRows

_ROWS: Final = OutboxRows(outbox)
# Over the active jobs alone, which are a partial index. A job ends in the projection; `active` is cleared after that.
_OLDEST: Final = text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(j.created_at)), 0)::float AS job,
       coalesce(extract(epoch FROM clock_timestamp() - min(p.planned_at)
           FILTER (WHERE p.completed_documents + p.failed_documents < p.total_documents)), 0)::float AS document
  FROM catalog.jobs j LEFT JOIN progress.jobs p ON p.job_id = j.job_id
 WHERE j.active AND j.cancelled_at IS NULL AND p.completed_at IS NULL
""")


def backlog(connection: Connection) -> Backlog:
    """What waits now."""
    waiting = _ROWS.waiting(connection)
    oldest = connection.execute(_OLDEST).one()
    return Backlog(float(waiting.rows), waiting.seconds, max(0.0, oldest.job), max(0.0, oldest.document))
