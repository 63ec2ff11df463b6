"""SQL of ``document.available``: documents of a job that became available are told of together, each once.

A batch of documents is a row, and a part of its job's events: its deliveries are made with it, and the feeds refer to
it. The rows say which documents have been told of, so that a kill between two looks tells of none twice and of none
never. Once the end of a job is recorded it gets no batch any more: whoever records it makes the last one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.intake import feed_rows
from services.notifier.intake.completion_rows import add_deliveries
from services.notifier.intake.job_locks import lock_jobs
from services.notifier.intake.registered_rows import interested_endpoints, subscribe, subscription_row
from shared.db.document_states import listed_text
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.visibility import public_text
from shared.domain.secrecy import PUBLIC_LEVEL
from shared.domain.statuses import DocumentStatus
from shared.webhooks.facts import DOCUMENTS_TOGETHER, DocumentsStored
from shared.webhooks.registry import made_of

DOCUMENTS_AT_ONCE: Final = 10 * DOCUMENTS_TOGETHER
"""In one transaction."""
_JOBS_LISTED: Final = 5_000
# Jobs that run and have a document. Not one whose case has a job that ended before, as long as that end is not
# recorded: its events come first.
_RUNNING: Final = text("""
SELECT j.job_id::text, p.version FROM catalog.jobs AS j JOIN progress.jobs AS p USING (job_id)
 WHERE j.active AND p.completed_at IS NULL AND p.completed_documents > 0
   AND NOT EXISTS (
       SELECT FROM catalog.jobs AS earlier JOIN progress.jobs AS its USING (job_id)
        WHERE earlier.process_number = j.process_number AND earlier.created_at < j.created_at
          AND its.completed_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM delivery.completions AS c WHERE c.job_id = earlier.job_id))
 ORDER BY random() LIMIT :most
""")
# What these jobs have brought; what was there before a job is no news. Nothing sealed is told of, and nobody is told of
# what only an operator asked for.
# The jobs first, and what was told of once: otherwise every document looks all of it up again.
_ADD: Final = PreparedText(
    "notifier_add_batches",
    f"""
WITH announced (job_id, document_id) AS MATERIALIZED (
    SELECT job_id, unnest(document_ids) FROM delivery.document_batches WHERE job_id = ANY (CAST(:jobs AS uuid[]))),
wanted AS MATERIALIZED (
    SELECT w.turn, w.job_id, j.process_number
      FROM unnest(CAST(:jobs AS uuid[])) WITH ORDINALITY AS w (job_id, turn)
      JOIN catalog.jobs AS j USING (job_id)
      JOIN catalog.processes AS p ON p.process_number = j.process_number AND p.secrecy_level = {PUBLIC_LEVEL}
     WHERE NOT EXISTS (SELECT FROM delivery.completions AS c WHERE c.job_id = w.job_id)
       AND EXISTS (SELECT FROM catalog.process_requests AS r WHERE r.process_number = j.process_number)),
brought AS (
    SELECT w.turn, w.job_id, w.process_number, array_agg(s.document_id) AS ids
      FROM wanted AS w
      JOIN progress.documents AS s ON s.process_number = w.process_number AND s.job_id = w.job_id
     WHERE s.status = '{DocumentStatus.AVAILABLE}'
       AND (w.job_id, s.document_id) NOT IN (SELECT job_id, document_id FROM announced)
     GROUP BY w.turn, w.job_id, w.process_number),
new AS (
    SELECT b.turn, b.job_id, b.process_number, d.document_id, d.position
      FROM brought AS b CROSS JOIN {listed_text("b.process_number", "b.ids", "d", public_text("listed"))}
     ORDER BY b.turn, d.position, d.document_id LIMIT :most),
numbered AS (
    SELECT new.*, (row_number() OVER (PARTITION BY job_id ORDER BY position, document_id) - 1)::int AS place FROM new)
INSERT INTO delivery.document_batches (job_id, part, process_number, document_ids, made_at)
SELECT n.job_id, n.place / {DOCUMENTS_TOGETHER} + (
           SELECT COALESCE(max(b.part) + 1, 0) FROM delivery.document_batches AS b WHERE b.job_id = n.job_id),
       n.process_number, array_agg(n.document_id ORDER BY n.place), :now
  FROM numbered AS n GROUP BY n.job_id, n.process_number, n.place / {DOCUMENTS_TOGETHER}
RETURNING job_id::text, part, process_number, cardinality(document_ids) AS documents
""",  # noqa: S608
    jobs="text[]",
    most="bigint",
    now="timestamptz",
)
_PARTS: Final = text("SELECT job_id::text, part FROM delivery.document_batches WHERE job_id = :job ORDER BY part")


@dataclass(frozen=True, slots=True)
class DocumentAnnouncement:
    """What one look at jobs made: how many deliveries, and those that can be sent now. ``more``: look again soon."""

    created: int
    due: Sequence[DueDelivery]
    more: bool


@dataclass(frozen=True, slots=True)
class MadeBatches:
    """``subscribed`` are the rows of new subscriptions, ``documents`` is how many the batches have."""

    subscribed: Sequence[Any]
    documents: int


def jobs_to_announce(connection: Connection) -> dict[str, int]:
    """Jobs that may have documents to tell of, in any order, each with its version: it grows with every change."""
    return {row.job_id: row.version for row in connection.execute(_RUNNING, {"most": _JOBS_LISTED})}


def announce_documents(connection: Connection, job_ids: Sequence[str], now: datetime) -> DocumentAnnouncement:
    """The batches of the new documents of jobs that run, with deliveries and events in the feeds; of at most
    DOCUMENTS_AT_ONCE. The caller commits.

    A document is in one batch of its job and no other, also when two processes look at once: the job is locked.
    """
    lock_jobs(connection, job_ids)
    made = make_batches(connection, job_ids, now, most=DOCUMENTS_AT_ONCE)
    # Nearly the last: the clients' feeds are locked from here to the commit.
    feed_rows.append(connection, job_ids, now)
    created, due = add_deliveries(connection, made.subscribed, now)
    return DocumentAnnouncement(created, due, more=made.documents == DOCUMENTS_AT_ONCE)


def new_batches(job_ids: Sequence[str], now: datetime, most: int | None = None) -> PreparedCall:
    """The statement that makes the batches of these jobs' new documents, of all or of ``most``; nobody subscribes."""
    return PreparedCall(_ADD, {"jobs": list(job_ids), "most": most, "now": now})


def make_batches(
    connection: Connection,
    job_ids: Sequence[str],
    now: datetime,
    *,
    most: int | None = None,
    interested: Sequence[Row[Any]] | None = None,
) -> MadeBatches:
    """The batches of these jobs' new documents, of all or of ``most``, and the subscriptions to them.

    ``interested`` are the endpoints that may hear of the jobs, where the caller has looked already. The caller has
    locked the jobs, creates the deliveries and adds to the feeds.
    """
    made = run_together(connection, new_batches(job_ids, now, most)).all()
    if not made:
        return MadeBatches((), 0)
    parts: dict[str, list[int]] = {}
    for row in sorted(made, key=lambda row: row.part):
        parts.setdefault(row.job_id, []).append(row.part)
    if interested is None:
        interested = interested_endpoints(connection, list(parts), None)
    return MadeBatches(_subscribe(connection, parts, interested, now), sum(row.documents for row in made))


def subscribe_client_to_batches(connection: Connection, job_id: str, client_id: str, now: datetime) -> None:
    """Subscribe a client's endpoints to what a job has told of before the client asked for its case."""
    parts = [row.part for row in connection.execute(_PARTS, {"job": job_id})]
    if parts:
        _subscribe(connection, {job_id: parts}, interested_endpoints(connection, [job_id], client_id), now)


def _subscribe(
    connection: Connection, parts: dict[str, list[int]], interested: Sequence[Row[Any]], now: datetime
) -> list[SimpleNamespace]:
    """Subscribe those that want them to these parts of jobs. The rows of the subscriptions."""
    wanted = [(row, kind.name) for row in interested for kind in made_of(DocumentsStored) if kind.name in row.events]
    rows = [(row, subscription_row(row, name, part)) for row, name in wanted for part in parts.get(row.job_id, ())]
    subscribe(connection, [made for _, made in rows], now)
    return [SimpleNamespace(**made, rate=row.rate) for row, made in rows]
