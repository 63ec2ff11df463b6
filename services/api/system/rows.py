"""The SQL of the system's state: only counts and ages, nothing of a case. Ages are seconds by the database's clock."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from shared.db.progress import dead_letters
from shared.outbox.inspection import OUTBOXES
from shared.outbox.rows import OutboxRows

# Not the rows of progress.jobs, which has every job there was: the active ones are few and have an index.
_QUEUES: Final = text("""
SELECT 'jobs_to_plan' AS name, count(*) AS waiting, extract(epoch FROM now() - min(j.created_at))::float AS oldest
  FROM catalog.jobs j LEFT JOIN progress.jobs p USING (job_id)
 WHERE j.active AND j.cancelled_at IS NULL AND p.planned_at IS NULL AND p.completed_at IS NULL
UNION ALL
SELECT 'documents_under_way', coalesce(sum(p.total_documents - p.completed_documents - p.failed_documents), 0)::bigint,
       extract(epoch FROM now() - min(p.planned_at))::float
  FROM catalog.jobs j JOIN progress.jobs p USING (job_id)
 WHERE j.active AND p.planned_at IS NOT NULL AND p.completed_at IS NULL
UNION ALL
SELECT 'deliveries_due', count(*), extract(epoch FROM now() - min(next_attempt_at))::float
  FROM delivery.deliveries WHERE status IN ('pending', 'waiting') AND next_attempt_at <= now()
UNION ALL
SELECT 'deliveries_later', count(*), extract(epoch FROM now() - min(created_at))::float
  FROM delivery.deliveries WHERE status IN ('pending', 'waiting') AND next_attempt_at > now()
""")
_OUTBOXES: Final = {schema: OutboxRows(table) for schema, table in OUTBOXES.items()}


def read_queues(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What waits at each place, and what was set aside or could not be applied."""
    queues, aside = [], []
    for schema, rows in _OUTBOXES.items():
        waiting = rows.waiting(connection)
        queues.append(_queue(f"outbox_{schema}", waiting.rows, waiting.seconds))
        aside.append({"topic": f"outbox/{schema}", "count": waiting.set_aside})
    queues += [_queue(row.name, row.waiting, row.oldest) for row in connection.execute(_QUEUES)]
    poison = connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()
    return queues, [{"topic": "progress.dead_letters", "count": poison}, *aside]


def _queue(name: str, waiting: int, oldest: float | None) -> dict[str, Any]:
    return {"name": name, "waiting": waiting, "oldest_seconds": max(0.0, oldest) if waiting and oldest else None}
