"""SQL of deletions: accepting one, removing what the catalog has, and the certificate that stays.

``accept`` decides everything that must be so at one moment: it holds the case as requests and plans do, so that each
of them is before it (and its rows are removed) or after it (and is refused, or finds its job deleted). What ``finish``
does later may be done by any replica, in any number of pieces, and again.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, text, tuple_, update

from services.api.processes.follow.changes import announce
from shared.db import catalog
from shared.db.case_store import lock_case
from shared.db.catalog import process_requests
from shared.db.deletions import (
    CASE_RUNS,
    STEPS,
    case_deletions,
    jobs_of_deletion,
    lock_deletion,
    outbox_rows,
    read_step,
    removing,
)
from shared.deletion import DeletedCase, added, remove_rows

REQUEST: Final = "request"
RETENTION: Final = "retention"

_KNOWN: Final = text(
    """
    SELECT EXISTS (SELECT FROM catalog.processes WHERE process_number = :number)
        OR EXISTS (SELECT FROM catalog.jobs WHERE process_number = :number)
        OR EXISTS (SELECT FROM catalog.process_requests WHERE process_number = :number)
        OR EXISTS (SELECT FROM progress.documents WHERE process_number = :number)
        OR EXISTS (SELECT FROM progress.jobs WHERE process_number = :number)
    """
)
_RUNS: Final = text(f"SELECT {CASE_RUNS}")
_WITHOUT_HASHES: Final = select(
    *(column for column in case_deletions.c if column is not case_deletions.c.document_hashes)
)
_ORDER: Final = text(
    """
    INSERT INTO catalog.case_deletions (deletion_id, process_number, nonce, case_digest, reason, client_id, key_id,
           requested_at, document_hashes)
    SELECT :deletion, :number, :nonce, :digest, :reason, :client, CAST(:key AS uuid), :now,
           COALESCE((SELECT array_agg(sha256 ORDER BY sha256) FROM progress.documents
                      WHERE process_number = :number AND sha256 IS NOT NULL), '{}')
    """
)
_FENCE: Final = text(
    """
    INSERT INTO catalog.deleted_jobs (job_id, deletion_id)
    SELECT job_id, :deletion FROM (
        SELECT job_id FROM catalog.jobs WHERE process_number = :number
        UNION SELECT job_id FROM progress.jobs WHERE process_number = :number) AS of_case
        ON CONFLICT DO NOTHING
    """
)
_STOP: Final = text(
    """
    UPDATE catalog.jobs SET active = false, cancelled_at = COALESCE(cancelled_at, :now) WHERE process_number = :number
    """
)
_FORGET_REQUESTS: Final = process_requests.delete()
_OF_JOBS: Final = "job_id = ANY (CAST(:jobs AS uuid[]))"
_STATEMENTS: Final = {
    "documents": removing("catalog.documents", "process_number = :number"),
    "case_lists": removing("catalog.case_lists", "process_number = :number"),
    "webhooks": removing("catalog.job_webhooks", _OF_JOBS),
    "job_clients": removing("catalog.job_clients", _OF_JOBS),
    "references": removing("catalog.job_references", _OF_JOBS),
    "jobs": removing("catalog.jobs", "process_number = :number"),
    "stream_tokens": removing("catalog.stream_tokens", "process_number = :number"),
    "requests": removing("catalog.process_requests", "process_number = :number"),
    "cases": removing("catalog.processes", "process_number = :number"),
    "outbox": outbox_rows(catalog.SCHEMA),
}
_UNFINISHED: Final = text(
    "SELECT deletion_id::text FROM catalog.case_deletions WHERE process_number IS NOT NULL"
    " ORDER BY requested_at LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Orderer:
    """Who orders a deletion, for its certificate; both None where the retention does."""

    client_id: str | None = None
    key_id: str | None = None


def accept(
    connection: Connection, number: str, by: Orderer, now: datetime, *, reason: str = REQUEST
) -> Row[Any] | None:
    """Order the deletion of a case; the open one when there is one, None when nothing is known of the case.

    With the caller's commit the case is as never asked for: its jobs are over, nobody's requests for it are known, and
    what still comes for these jobs is dropped everywhere. The retention leaves a case whose job runs (None).
    """
    lock_case(connection, number)
    found = connection.execute(_WITHOUT_HASHES.where(case_deletions.c.process_number == number)).one_or_none()
    if found is not None:
        return found
    case = {"number": number}
    if not connection.execute(_KNOWN, case).scalar_one():
        return None
    if reason == RETENTION and connection.execute(_RUNS, case).scalar_one():
        return None
    deletion_id, nonce = str(uuid.uuid4()), secrets.token_hex(32)
    order = {
        "deletion": deletion_id,
        "nonce": nonce,
        "digest": digest(nonce, number),
        "reason": reason,
        "client": by.client_id,
        "key": by.key_id,
        "now": now,
    }
    connection.execute(_ORDER, case | order)
    connection.execute(_FENCE, case | {"deletion": deletion_id})
    connection.execute(_STOP, case | {"now": now})
    forgotten = connection.execute(_FORGET_REQUESTS.where(process_requests.c.process_number == number)).rowcount
    connection.execute(
        update(case_deletions)
        .where(case_deletions.c.deletion_id == deletion_id)
        .values(removed={"requests": forgotten})
    )
    announce(connection, number)
    return find(connection, deletion_id)


def digest(nonce: str, number: str) -> str:
    """What a certificate has of the number: nobody who lacks the nonce can try numbers against it."""
    return hashlib.sha256(f"{nonce}:{number}".encode()).hexdigest()


def find(connection: Connection, deletion_id: str, *, hashes: bool = False) -> Row[Any] | None:
    """A deletion, or its certificate; None when there is none.

    ``hashes``: with those of the documents, which are megabytes of a large case.
    """
    statement = select(case_deletions) if hashes else _WITHOUT_HASHES
    return connection.execute(statement.where(case_deletions.c.deletion_id == deletion_id)).one_or_none()


def page(connection: Connection, before: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    """Deletions without their hashes, newest first, those older than ``before``."""
    columns = case_deletions.c
    statement = _WITHOUT_HASHES.order_by(columns.requested_at.desc(), columns.deletion_id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(tuple_(columns.requested_at, columns.deletion_id) < tuple_(*before))
    return connection.execute(statement).all()


def unfinished(connection: Connection, most: int) -> Sequence[str]:
    """The oldest deletions that are not complete."""
    return connection.execute(_UNFINISHED, {"most": most}).scalars().all()


def finish(connection: Connection, deletion_id: str, now: datetime) -> bool:
    """Remove at most a batch of what the catalog has, once the other services are done; whether there may be more.

    The last step takes the number from the row: what stays is the certificate. False too when another replica is at
    it, or a service has more to do.
    """
    if not lock_deletion(connection, catalog.SCHEMA, deletion_id):
        return False
    row = find(connection, deletion_id)
    if row is None or row.process_number is None:
        return False
    steps = [read_step(connection, schema, deletion_id) for schema in STEPS]
    done = [step.removed for step in steps if step is not None and step.done_at is not None]
    # A service that is away holds the deletion until it is back.
    if len(done) < len(STEPS):
        return False
    lock_case(connection, row.process_number)
    case = DeletedCase(row.process_number, jobs_of_deletion(connection, deletion_id))
    removed = remove_rows(connection, case, _STATEMENTS)
    values: dict[str, Any] = {"removed": added(row.removed, removed)}
    if not removed:
        for by_a_service in done:
            values["removed"] = added(values["removed"], by_a_service)
        values |= {"process_number": None, "nonce": None, "completed_at": now}
    connection.execute(update(case_deletions).where(case_deletions.c.deletion_id == deletion_id).values(values))
    return bool(removed)
