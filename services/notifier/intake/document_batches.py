"""SQL of ``document.available``: documents of a job that became available are told of together, each once.

A batch of documents is a row, and a part of its job's events: its deliveries are made with it. The rows say which
documents have been told of, so that a kill between two looks tells of none twice and of none never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection, text

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.intake.completion_rows import add_deliveries, lock_jobs
from services.notifier.intake.registered_rows import INTERESTED, subscribe, subscription_row
from shared.db.visibility import public_text
from shared.domain.secrecy import PUBLIC_LEVEL
from shared.domain.statuses import DocumentStatus
from shared.webhooks.facts import DOCUMENTS_TOGETHER, DocumentsStored
from shared.webhooks.registry import made_of

BATCHES_AT_ONCE: Final = 10
"""Of one job in one transaction."""
JOBS_AT_ONCE: Final = 200
# Jobs of clients with an endpoint that wants it, while they run and once after their end; in any order, so that each
# has its turn where there are more.
_JOBS: Final = text("""
SELECT job_id::text FROM (
    SELECT j.job_id FROM catalog.webhook_endpoints AS w
      JOIN catalog.process_requests AS r ON r.client_id = w.client_id
      JOIN catalog.jobs AS j ON j.process_number = r.process_number AND j.active
     WHERE w.events && CAST(:types AS text[])
    UNION
    SELECT job_id FROM delivery.ended_jobs_to_tell) AS wanted
 ORDER BY random() LIMIT :most
""")
# What this job has brought; what was there before it is no news. Nothing sealed is told of.
_NEW: Final = text(f"""
SELECT s.document_id::text, s.process_number
  FROM catalog.jobs AS j
  JOIN catalog.processes AS p ON p.process_number = j.process_number AND p.secrecy_level = {PUBLIC_LEVEL}
  JOIN progress.documents AS s ON s.process_number = j.process_number AND s.job_id = j.job_id
  JOIN catalog.documents AS d ON d.process_number = s.process_number AND d.document_id = s.document_id
 WHERE j.job_id = :job AND s.status = '{DocumentStatus.AVAILABLE}' AND {public_text("d")}
   AND s.document_id NOT IN (SELECT unnest(document_ids) FROM delivery.document_batches WHERE job_id = :job)
 ORDER BY d.position, d.document_id LIMIT :most
""")  # noqa: S608
_NEXT_PART: Final = text("SELECT COALESCE(max(part) + 1, 0) FROM delivery.document_batches WHERE job_id = :job")
_ADD_BATCH: Final = text("""
INSERT INTO delivery.document_batches (job_id, part, process_number, document_ids, made_at)
VALUES (:job, :part, :number, CAST(:documents AS uuid[]), :now)
""")
_ANNOUNCED: Final = text("DELETE FROM delivery.ended_jobs_to_tell WHERE job_id = :job")


@dataclass(frozen=True, slots=True)
class DocumentAnnouncement:
    """What one look at a job made: how many deliveries, and those that can be sent now. ``more``: look again soon."""

    created: int
    due: Sequence[DueDelivery]
    more: bool


def jobs_to_announce(connection: Connection) -> list[str]:
    """Jobs that may have documents to tell of, at most JOBS_AT_ONCE."""
    types = [kind.name for kind in made_of(DocumentsStored)]
    return list(connection.execute(_JOBS, {"types": types, "most": JOBS_AT_ONCE}).scalars())


def announce_documents(connection: Connection, job_id: str, now: datetime) -> DocumentAnnouncement:
    """Make the batches of a job's new documents and their deliveries; at most BATCHES_AT_ONCE of them. The caller
    commits.

    A document is in one batch of its job and no other, also when two processes look at once: the job is locked.
    """
    lock_jobs(connection, [job_id])
    interested = [
        (row, kind.name)
        for row in connection.execute(INTERESTED, {"jobs": [job_id], "client": None})
        for kind in made_of(DocumentsStored)
        if kind.name in row.events
    ]
    most = BATCHES_AT_ONCE * DOCUMENTS_TOGETHER
    found = connection.execute(_NEW, {"job": job_id, "most": most}).all() if interested else []
    if not found:
        connection.execute(_ANNOUNCED, {"job": job_id})
        return DocumentAnnouncement(0, (), more=False)
    part: int = connection.execute(_NEXT_PART, {"job": job_id}).scalar_one()
    subscribed: list[Any] = []
    for at in range(0, len(found), DOCUMENTS_TOGETHER):
        documents = [row.document_id for row in found[at : at + DOCUMENTS_TOGETHER]]
        wanted = {"job": job_id, "part": part, "number": found[0].process_number, "documents": documents, "now": now}
        connection.execute(_ADD_BATCH, wanted)
        rows = [(row, subscription_row(row, name, part)) for row, name in interested]
        subscribe(connection, [made for _, made in rows], now)
        subscribed += [SimpleNamespace(**made, rate=row.rate) for row, made in rows]
        part += 1
    created, due = add_deliveries(connection, subscribed, now)
    return DocumentAnnouncement(created, due, more=len(found) == most)
