"""The SQL of the projection's three tables, for the live schema and for the one that a rebuild fills.

Each batch runs the same few statements whatever its size: lock the cases, read their rows, write what changed. Columns
and templates come from the row types, so that a new column is named once. Written in the driver's form
(docs/adr/0027-one-sql-style.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.status.projection.rows import DocumentRow, JobRow

JOB_COLUMNS: Final = JobRow._fields
DOCUMENT_COLUMNS: Final = DocumentRow._fields

# An UPDATE from VALUES has no column to take the types from.
_JOB_TYPES: Final = ("uuid", "text", "text", "int", "int", "int", *["timestamptz"] * 4, "text", "text", "bigint")
JOB_TEMPLATE: Final = "(" + ",".join(f"%s::{kind}" for kind in (*_JOB_TYPES, "timestamptz")) + ")"
JOB_DOCUMENT_TEMPLATE: Final = "(%s,%s,%s)"
_LISTS: Final = frozenset({"warnings", "source_headers"})
_DOCUMENT_VALUES: Final = ("%s::text[]" if name in _LISTS else "%s" for name in (*DOCUMENT_COLUMNS, "updated_at"))
DOCUMENT_TEMPLATE: Final = "(" + ",".join(_DOCUMENT_VALUES) + ")"

CASE_LOCKS: Final = 0x7067  # "pg": advisory locks on a case's progress
REBUILD_LOCK: Final = 0x7067_7262  # "pgrb": shared by every batch, exclusive while a rebuild swaps the tables

LOCK: Final = """
SELECT pg_advisory_xact_lock_shared(%(rebuild)s);
SELECT count(pg_advisory_xact_lock(%(space)s, number)) FROM (
    SELECT DISTINCT hashtext(process_number) AS number FROM unnest(%(processes)s) AS process_number ORDER BY number
) AS ordered
"""

NOTIFY: Final = "SELECT pg_notify(%(channel)s, number) FROM unnest(%(processes)s) AS number"

_REFERENCE: Final = """
SELECT r.reference FROM catalog.jobs AS c JOIN catalog.job_references AS r USING (job_id, client_id)
 WHERE c.job_id = j.job_id
"""
"""What the client that started a job calls it; ``j`` is the job of the statement around it."""
REFERENCES: Final = f"""
SELECT j.job_id::text, ({_REFERENCE}) AS reference FROM unnest(%(jobs)s::uuid[]) AS j (job_id)
"""  # noqa: S608 - our own text


@dataclass(frozen=True)
class Statements:
    """The statements for one schema."""

    load_jobs: str
    load_documents: str
    update_jobs: str
    complete_jobs: str
    write_job_documents: str
    write_documents: str

    @classmethod
    def of(cls, schema: str) -> Statements:
        """``schema`` is a constant of the program, never input."""
        job_columns = ", ".join(JOB_COLUMNS)
        document_columns = ", ".join(DOCUMENT_COLUMNS)
        set_job = ", ".join(f"{name} = v.{name}" for name in (*JOB_COLUMNS[2:], "updated_at"))
        set_document = ", ".join(f"{name} = excluded.{name}" for name in (*DOCUMENT_COLUMNS[2:], "updated_at"))
        update = f"""
            UPDATE {schema}.jobs AS j SET {set_job}
            FROM (VALUES %s) AS v ({job_columns}, updated_at) WHERE j.job_id = v.job_id
        """  # noqa: S608
        return cls(
            # Rows that are not there cannot be locked: make them first, so that the lock holds off a zombie too. A job
            # of a deleted case is neither made nor loaded: what deletes a case holds it as a batch does.
            load_jobs=f"""
                INSERT INTO {schema}.jobs (job_id, process_number, status, version)
                SELECT id, number, 'pending', 0
                FROM unnest(%(jobs)s::uuid[], %(processes)s::text[]) AS named (id, number)
                WHERE NOT EXISTS (SELECT FROM catalog.deleted_jobs WHERE job_id = id) ORDER BY id
                ON CONFLICT (job_id) DO NOTHING;
                SELECT job_id::text, {", ".join(JOB_COLUMNS[1:])} FROM {schema}.jobs
                WHERE job_id = ANY (%(jobs)s::uuid[])
                    AND NOT EXISTS (SELECT FROM catalog.deleted_jobs WHERE deleted_jobs.job_id = jobs.job_id)
                ORDER BY jobs.job_id FOR UPDATE
            """,  # noqa: S608
            # A row for each document named, of what is known of it in its job and in its case.
            load_documents=f"""
                SELECT named.job_id::text, named.document_id::text, j.status, d.process_number, d.document_id::text,
                    d.job_id::text, {", ".join(f"d.{name}" for name in DOCUMENT_COLUMNS[3:])}
                FROM unnest(%(jobs)s::uuid[], %(documents)s::uuid[], %(processes)s::text[])
                    AS named (job_id, document_id, process_number)
                LEFT JOIN {schema}.job_documents AS j USING (job_id, document_id)
                LEFT JOIN {schema}.documents AS d
                    ON d.process_number = named.process_number AND d.document_id = named.document_id
            """,  # noqa: S608
            update_jobs=update,
            complete_jobs=(f"{update} AND j.completed_at IS NULL RETURNING j.job_id::text, ({_REFERENCE})"),
            write_job_documents=f"""
                INSERT INTO {schema}.job_documents (job_id, document_id, status) VALUES %s
                ON CONFLICT (job_id, document_id) DO UPDATE SET status = excluded.status
            """,  # noqa: S608
            write_documents=f"""
                INSERT INTO {schema}.documents ({document_columns}, updated_at) VALUES %s
                ON CONFLICT (process_number, document_id) DO UPDATE SET {set_document}
            """,  # noqa: S608
        )
