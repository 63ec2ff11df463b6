"""Reads what the rules need from PostgreSQL: read-only, one short statement a page, each a snapshot of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from ops.invariants.deliveries import OpenDelivery, UnpublishedEvents
from ops.invariants.jobs import JobCounts, JobFacts
from ops.invariants.objects import StoredDocument
from shared.db.document_states import state_text
from shared.db.engine import engine_url

PAGE: Final = 500
SCHEMAS_WITH_OUTBOX: Final = ("catalog", "progress", "delivery")
_MOST_EXAMPLES: Final = 100
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

_JOBS: Final = f"""
SELECT c.job_id::text, c.process_number, c.created_at, c.cancelled_at,
       p.job_id IS NOT NULL AS projected, p.status, p.total_documents, p.completed_documents, p.failed_documents,
       p.planned_at IS NOT NULL AS planned, p.completed_at, p.error_code, p.updated_at,
       r.available, r.failed, r.open, r.healed, r.unbacked,
       w.webhooks, w.undelivered, w.youngest, k.job_id IS NOT NULL AS recorded
  FROM (SELECT * FROM catalog.jobs
         WHERE job_id > :after AND created_at >= :since ORDER BY job_id LIMIT :page) AS c
  LEFT JOIN progress.jobs p ON p.job_id = c.job_id
  LEFT JOIN delivery.completions k ON k.job_id = c.job_id
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE jd.status = 'available') AS available,
           count(*) FILTER (WHERE jd.status = 'failed') AS failed,
           count(*) FILTER (WHERE jd.status NOT IN ('available', 'failed')) AS open,
           count(*) FILTER (WHERE jd.status = 'available' AND d.download_completed_at > p.completed_at) AS healed,
           count(*) FILTER (WHERE jd.status = 'available' AND d.status IS DISTINCT FROM 'available'
                          AND d.lost_at IS NULL) AS unbacked
      FROM progress.job_documents jd
      LEFT JOIN {state_text("jd", "d", number="c.process_number")} ON true
     WHERE jd.job_id = c.job_id) AS r
 CROSS JOIN LATERAL (
    SELECT count(*) AS webhooks, count(*) FILTER (WHERE s.subscription_id IS NULL) AS undelivered,
           max(jw.created_at) FILTER (WHERE s.subscription_id IS NULL) AS youngest
      FROM catalog.job_webhooks jw LEFT JOIN delivery.deliveries s ON s.subscription_id = jw.subscription_id
     WHERE jw.job_id = c.job_id) AS w
 ORDER BY c.job_id
"""  # noqa: S608 - a condition of our own
_STRANGERS: Final = """
SELECT p.job_id::text, p.process_number FROM progress.jobs p
 WHERE p.updated_at >= :since AND NOT EXISTS (SELECT FROM catalog.jobs c WHERE c.job_id = p.job_id)
 LIMIT :most
"""
_OPEN: Final = """
SELECT d.delivery_id::text, d.status, d.next_attempt_at, d.lease_until, e.disabled_at IS NOT NULL AS endpoint_disabled,
       e.failing_since IS NOT NULL AS endpoint_failing,
       EXISTS (SELECT FROM delivery.deliveries o WHERE o.endpoint_id = d.endpoint_id AND o.status = 'sending')
           AS endpoint_busy
  FROM delivery.deliveries d JOIN delivery.endpoints e USING (endpoint_id)
 WHERE d.status IN ('pending', 'waiting', 'sending') AND d.delivery_id > :after
 ORDER BY d.delivery_id LIMIT :page
"""
_UNPROVEN: Final = """
SELECT d.delivery_id::text FROM delivery.deliveries d
 WHERE d.status = 'delivered' AND d.delivered_at >= :since AND d.delivered_at > now() - interval '30 days'
   AND NOT EXISTS (SELECT FROM delivery.attempts a WHERE a.delivery_id = d.delivery_id AND a.succeeded)
 LIMIT :most
"""
_STATUSES: Final = (
    "SELECT status, count(*) AS number FROM delivery.deliveries WHERE created_at >= :since GROUP BY status"
)
_DOCUMENTS: Final = """
SELECT process_number, document_id::text, object_key, size, sha256 FROM progress.documents
 WHERE (process_number, document_id) > (:process, :after) AND status = 'available' AND updated_at >= :since
 ORDER BY process_number, document_id LIMIT :page
"""
_DEAD_LETTERS: Final = "SELECT count(*) AS number FROM progress.dead_letters WHERE created_at >= :since"


class DatabaseReader:
    """Reads in pages of PAGE rows, each page a transaction of its own. Raises what SQLAlchemy raises when it is away.

    ``since`` leaves out what is older. Any role that may read catalog, progress and delivery will do.
    """

    def __init__(self, url: str, since: datetime) -> None:
        self._engine = _read_only_engine(url)
        self._since = since

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def jobs(self) -> Iterator[JobFacts]:
        """Every job of the catalog, by id."""
        after = _FIRST
        while rows := self._rows(_JOBS, {"after": after, "page": PAGE}):
            after = rows[-1].job_id
            yield from (_job(row) for row in rows)

    def strangers(self) -> list[tuple[str, str]]:
        """(job_id, process_number) of jobs that the projection has and the catalog has not; some of them."""
        return [(row.job_id, row.process_number) for row in self._rows(_STRANGERS, {"most": _MOST_EXAMPLES})]

    def open_deliveries(self) -> Iterator[OpenDelivery]:
        """Every delivery that has not ended, however old."""
        after = _FIRST
        while rows := self._rows(_OPEN, {"after": after, "page": PAGE}):
            after = rows[-1].delivery_id
            yield from (OpenDelivery(**row._mapping) for row in rows)

    def unproven_deliveries(self) -> list[str]:
        """Ids of delivered deliveries without an attempt that succeeded; some of them."""
        return [row.delivery_id for row in self._rows(_UNPROVEN, {"most": _MOST_EXAMPLES})]

    def delivery_statuses(self) -> dict[str, int]:
        """How many deliveries have each status."""
        return {row.status: row.number for row in self._rows(_STATUSES, {})}

    def stored_documents(self) -> Iterator[StoredDocument]:
        """Every available document, by case."""
        process, after = "", _FIRST
        while rows := self._rows(_DOCUMENTS, {"process": process, "after": after, "page": PAGE}):
            process, after = rows[-1].process_number, rows[-1].document_id
            yield from (StoredDocument(**row._mapping) for row in rows)

    def unpublished(self) -> list[UnpublishedEvents]:
        """Each outbox that has unpublished rows."""
        found = []
        for schema in SCHEMAS_WITH_OUTBOX:
            # Set aside ones wait for an operator: `autos doctor` and `autos dead list` show them.
            waiting = "published_at IS NULL AND set_aside_at IS NULL"
            statement = f"SELECT count(*) AS rows, min(created_at) AS oldest FROM {schema}.outbox WHERE {waiting}"  # noqa: S608
            (row,) = self._rows(statement, {})
            if row.rows:
                found.append(UnpublishedEvents(schema, row.rows, row.oldest))
        return found

    def dead_letters(self) -> int:
        """Events that the projection could not apply."""
        (row,) = self._rows(_DEAD_LETTERS, {})
        return int(row.number)

    def _rows(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement), {"since": self._since, **parameters}))


def _read_only_engine(url: str) -> Engine:
    """Each statement is its own transaction, cannot write, and gives up rather than being a burden."""
    options = " ".join(
        f"-c {option}"
        for option in (
            "timezone=UTC",
            "default_transaction_read_only=on",
            "statement_timeout=30s",
            "lock_timeout=2s",
        )
    )
    address = engine_url(url)
    if address.query.get("target_session_attrs") == "read-write":
        # A session that reads only is no such session, and what it asks for is the primary all the same.
        address = address.update_query_dict({"target_session_attrs": "primary"})
    return create_engine(
        address,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"application_name": "autos-doctor", "connect_timeout": 5, "options": options},
    )


def _job(row: Any) -> JobFacts:
    counted = None
    if row.projected:
        counted = JobCounts(
            row.status,
            row.total_documents,
            row.completed_documents,
            row.failed_documents,
            row.planned,
            row.completed_at,
            row.error_code,
            row.updated_at,
            row.available,
            row.failed,
            row.open,
            row.healed,
            row.unbacked,
        )
    return JobFacts(
        row.job_id,
        row.process_number,
        row.created_at,
        row.cancelled_at,
        counted,
        row.webhooks,
        row.undelivered,
        row.youngest,
        row.recorded,
    )
