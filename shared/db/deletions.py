"""Deleting a case: the orders, the jobs that are gone, and how far each service is (docs/adr/0039-deletion.md).

- ``catalog.case_deletions``: an order to delete a case, and afterwards its certificate. ``process_number`` and
  ``nonce`` stand there until everything is removed; then a digest of the two is all that is left of the number.
- ``catalog.deleted_jobs``: the jobs of deleted cases, and old jobs of others (``deletion_id`` null). Whatever still
  comes for one of them (an event, a request for a document, a subscription) is dropped: nothing may make a deleted case
  come back.
- ``deletion_steps`` in each other schema: what its service has removed so far, and when it was done.

Times are UTC. Written by api, but for the steps, which each service writes in its own schema.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Index, Row, Table, Text, Uuid, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import catalog, delivery, progress, source
from shared.db.prepared import PreparedText
from shared.db.tables import METADATA, identifier, moment

case_deletions: Final = Table(
    "case_deletions",
    METADATA,
    identifier("deletion_id", primary_key=True),
    # Null once everything is removed.
    Column("process_number", Text),
    # Random, 32 bytes as hex; given to whoever ordered the deletion and null once everything is removed.
    Column("nonce", Text),
    # SHA-256 of the nonce, a colon and the number with its mask, as hex.
    Column("case_digest", Text, nullable=False),
    # request, or retention.
    Column("reason", Text, nullable=False),
    # Who ordered it; null: the retention did.
    Column("client_id", Text),
    identifier("key_id"),
    moment("requested_at", nullable=False),
    moment("completed_at"),
    # How many of each kind were removed.
    Column("removed", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # SHA-256 of the documents that were available, as hex.
    Column("document_hashes", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Index(
        "uq_case_deletions_open",
        "process_number",
        unique=True,
        postgresql_where=text("process_number IS NOT NULL"),
    ),
    Index("ix_case_deletions_requested", "requested_at", "deletion_id"),
    schema=catalog.SCHEMA,
)

deleted_jobs: Final = Table(
    "deleted_jobs",
    METADATA,
    identifier("job_id", primary_key=True),
    Column("deletion_id", Uuid(as_uuid=False), index=True),
    moment("deleted_at", nullable=False, server_default=text("now()")),
    Index("ix_deleted_jobs_deleted", "deleted_at", "job_id"),
    schema=catalog.SCHEMA,
)


def _steps(schema: str) -> Table:
    return Table(
        "deletion_steps",
        METADATA,
        identifier("deletion_id", primary_key=True),
        # How many of each kind were removed.
        Column("removed", JSONB, nullable=False),
        # Null while there may be more.
        moment("done_at"),
        schema=schema,
    )


STEPS: Final = {schema: _steps(schema) for schema in (source.SCHEMA, progress.SCHEMA, delivery.SCHEMA)}
"""By schema: the steps of the service that owns it. A deletion is complete when all of them are done."""

CASE_RUNS: Final = """
    EXISTS (SELECT FROM catalog.jobs AS j LEFT JOIN progress.jobs AS p USING (job_id)
             WHERE j.process_number = :number AND j.active AND j.cancelled_at IS NULL AND p.completed_at IS NULL)"""
"""In SQL: whether a job of the case ``:number`` runs. What is too old of such a case is left for later."""

_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext(:schema), hashtext(:deletion))")
_JOBS: Final = text("SELECT job_id::text FROM catalog.deleted_jobs WHERE deletion_id = :deletion")
_DELETED: Final = PreparedText(
    "deleted_jobs",
    "SELECT job_id::text FROM catalog.deleted_jobs WHERE job_id = ANY (CAST(:jobs AS uuid[]))",
    jobs="text[]",
)


def lock_deletion(connection: Connection, schema: str, deletion_id: str) -> bool:
    """Take what one schema has of a deletion until the transaction ends; False when another replica has it."""
    taken: bool = connection.execute(_TRY_LOCK, {"schema": schema, "deletion": deletion_id}).scalar_one()
    return taken


def jobs_of_deletion(connection: Connection, deletion_id: str) -> Sequence[str]:
    """The jobs that the case had when its deletion was ordered."""
    return connection.execute(_JOBS, {"deletion": deletion_id}).scalars().all()


def read_step(connection: Connection, schema: str, deletion_id: str) -> Row[Any] | None:
    """What the service of a schema has removed by now (``removed``, ``done_at``); None while it has not begun."""
    steps = STEPS[schema]
    return connection.execute(select(steps).where(steps.c.deletion_id == deletion_id)).one_or_none()


def find_deleted_jobs(connection: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Those of these jobs whose case was deleted: nothing may be written of them any more."""
    if not job_ids:
        return frozenset()
    return frozenset(_DELETED.run(connection, {"jobs": list(job_ids)}).scalars())


def spellings(process_number: str) -> tuple[str, str]:
    """The two ways in which a text names a case: with the mask of the number, and by its 20 digits."""
    return process_number, "".join(character for character in process_number if character.isdecimal())


def removing(table: str, condition: str) -> Any:
    """The statement that removes at most ``:most`` rows of a table that meet a condition of our own."""
    return text(f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT :most))")  # noqa: S608


def outbox_rows(schema: str) -> Any:
    """The statement that removes at most ``:most`` rows of an outbox that name the case.

    The outbox is read as a whole: it has what is to be published, and what was in the last two days.
    """
    named = "position(:number IN {0}) > 0 OR position(:digits IN {0}) > 0"
    texts = " OR ".join(named.format(column) for column in ("payload", "aggregateid", "headers::text"))
    return removing(f"{schema}.outbox", texts)
