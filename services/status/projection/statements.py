"""The SQL of the projection's three tables, for the live schema and for the one that a rebuild fills.

Each batch runs the same few statements whatever its size: lock the cases, read their rows, write what changed. Columns
and templates come from the row types, so that a new column is named once. Written in the driver's form, for
``execute_values`` (docs/adr/0027-one-sql-style.md).
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

REFERENCES: Final = """
SELECT r.job_id::text, r.reference FROM catalog.jobs j JOIN catalog.job_references r USING (job_id, client_id)
 WHERE j.job_id = ANY (%(jobs)s::uuid[])
"""
"""What the clients that started these jobs call them."""

LOCK: Final = """
SELECT pg_advisory_xact_lock_shared(%(rebuild)s);
SELECT count(pg_advisory_xact_lock(%(space)s, number)) FROM (
    SELECT DISTINCT hashtext(process_number) AS number FROM unnest(%(processes)s) AS process_number ORDER BY number
) AS ordered
"""


@dataclass(frozen=True)
class Statements:
    """The statements for one schema."""

    add_jobs: str
    load_jobs: str
    load_job_documents: str
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
            # Rows that are not there cannot be locked: make them first, so that the lock holds off a zombie too.
            add_jobs=f"""
                INSERT INTO {schema}.jobs (job_id, process_number, status, version)
                SELECT id, number, 'pending', 0
                FROM unnest(%(jobs)s::uuid[], %(processes)s::text[]) AS named (id, number) ORDER BY id
                ON CONFLICT (job_id) DO NOTHING
            """,  # noqa: S608
            load_jobs=f"""
                SELECT job_id::text, {", ".join(JOB_COLUMNS[1:])} FROM {schema}.jobs
                WHERE job_id = ANY (%(jobs)s::uuid[]) ORDER BY jobs.job_id FOR UPDATE
            """,  # noqa: S608
            load_job_documents=f"""
                SELECT d.job_id::text, d.document_id::text, d.status FROM {schema}.job_documents AS d
                JOIN unnest(%(jobs)s::uuid[], %(documents)s::uuid[]) AS named (job_id, document_id)
                USING (job_id, document_id)
            """,  # noqa: S608
            load_documents=f"""
                SELECT d.process_number, d.document_id::text, d.job_id::text,
                    {", ".join(f"d.{name}" for name in DOCUMENT_COLUMNS[3:])}
                FROM {schema}.documents AS d
                JOIN unnest(%(processes)s::text[], %(documents)s::uuid[]) AS named (process_number, document_id)
                USING (process_number, document_id)
            """,  # noqa: S608
            update_jobs=update,
            complete_jobs=f"{update} AND j.completed_at IS NULL RETURNING j.job_id::text",
            write_job_documents=f"""
                INSERT INTO {schema}.job_documents (job_id, document_id, status) VALUES %s
                ON CONFLICT (job_id, document_id) DO UPDATE SET status = excluded.status
            """,  # noqa: S608
            write_documents=f"""
                INSERT INTO {schema}.documents ({document_columns}, updated_at) VALUES %s
                ON CONFLICT (process_number, document_id) DO UPDATE SET {set_document}
            """,  # noqa: S608
        )
