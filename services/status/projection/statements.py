"""The SQL of the projection's three tables, for the live schema and for the one that a rebuild fills.

Each batch runs the same few statements whatever its size: lock the cases, read their rows, write what changed. They are
prepared, and rows travel as JSON: to read and plan a text with all values in it took the server longer than to run it.
A plan is kept while the tables grow, so it is held to the primary keys: what is looked up is looked up for one row of
the parameters at a time (LATERAL), what is written meets its row by ON CONFLICT. Columns come from the row types, so
that a new column is named once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from services.status.projection.rows import DocumentRow, JobRow
from shared.db import progress
from shared.db.prepared import PreparedCall, PreparedText
from shared.db.recordset import column_types

JOB_DOCUMENT_COLUMNS: Final = ("job_id", "document_id", "status")

CASE_LOCKS: Final = 0x7067  # "pg": advisory locks on a case's progress
REBUILD_LOCK: Final = 0x7067_7262  # "pgrb": shared by every batch, exclusive while a rebuild swaps the tables

_HOLD_OFF_REBUILD: Final = PreparedText(
    "progress_hold_off_rebuild", "SELECT pg_advisory_xact_lock_shared(:lock)", lock="bigint"
)
_LOCK_CASES: Final = PreparedText(
    "progress_lock_cases",
    f"""
    SELECT count(pg_advisory_xact_lock({CASE_LOCKS}, number)) FROM (
        SELECT DISTINCT hashtext(process_number) AS number FROM unnest(:processes) AS process_number ORDER BY number
    ) AS ordered
    """,  # noqa: S608 - our own constant
    processes="text[]",
)
NOTIFY: Final = PreparedText(
    "progress_notify",
    "SELECT pg_notify(:channel, number) FROM unnest(:processes) AS number",
    channel="text",
    processes="text[]",
)

_REFERENCE: Final = """
SELECT r.reference FROM catalog.jobs AS c JOIN catalog.job_references AS r USING (job_id, client_id)
 WHERE c.job_id = j.job_id
"""
"""What the client that started a job calls it; ``j`` is the job of the statement around it."""
REFERENCES: Final = PreparedText(
    "progress_references",
    f"SELECT j.job_id::text, ({_REFERENCE}) AS reference FROM unnest(CAST(:jobs AS uuid[])) AS j (job_id)",  # noqa: S608
    jobs="text[]",
)


def locks(processes: Iterable[str]) -> tuple[PreparedCall, ...]:
    """What a transaction that writes about these cases begins with: no rebuild swaps the tables, nobody else is at
    them."""
    return (
        PreparedCall(_HOLD_OFF_REBUILD, {"lock": REBUILD_LOCK}),
        PreparedCall(_LOCK_CASES, {"processes": sorted(processes)}),
    )


@dataclass(frozen=True)
class Statements:
    """The statements for one schema. What writes has one parameter, ``rows`` (shared/db/recordset.py)."""

    make_jobs: PreparedText
    load_jobs: PreparedText
    load_documents: PreparedText
    update_jobs: PreparedText
    complete_jobs: PreparedText
    write_job_documents: PreparedText
    write_documents: PreparedText

    @classmethod
    def of(cls, schema: str) -> Statements:
        """``schema`` is a constant of the program, never input."""
        document_columns = (*DocumentRow._fields, "updated_at")
        update_jobs = _upsert(schema, progress.jobs, (*JobRow._fields, "updated_at"), key=("job_id",))
        write = {
            "update_jobs": update_jobs,
            "complete_jobs": (
                f"{update_jobs} WHERE j.completed_at IS NULL RETURNING j.job_id::text, ({_REFERENCE}) AS reference"
            ),
            "write_job_documents": _upsert(
                schema, progress.job_documents, JOB_DOCUMENT_COLUMNS, key=("job_id", "document_id")
            ),
            "write_documents": _upsert(
                schema, progress.documents, document_columns, key=("process_number", "document_id")
            ),
        }
        return cls(
            make_jobs=_make_jobs(schema),
            load_jobs=_load_jobs(schema),
            load_documents=_load_documents(schema),
            **{name: PreparedText(f"{name}_{schema}", statement, rows="text") for name, statement in write.items()},
        )


def _make_jobs(schema: str) -> PreparedText:
    """Rows that are not there cannot be locked: make them first, so that the lock holds off a zombie too.

    A job of a deleted case is neither made nor loaded: what deletes a case holds it as a batch does.
    """
    return PreparedText(
        f"make_jobs_{schema}",
        f"""
        INSERT INTO {schema}.jobs (job_id, process_number, status, version)
        SELECT id, number, 'pending', 0
        FROM unnest(CAST(:jobs AS uuid[]), :processes) AS named (id, number)
        WHERE NOT EXISTS (SELECT FROM catalog.deleted_jobs WHERE job_id = id) ORDER BY id
        ON CONFLICT (job_id) DO NOTHING
        """,  # noqa: S608
        jobs="text[]",
        processes="text[]",
    )


def _load_jobs(schema: str) -> PreparedText:
    return PreparedText(
        f"load_jobs_{schema}",
        f"""
        SELECT j.job_id::text, {_of("j", JobRow._fields[1:])}
        FROM (
            SELECT id FROM unnest(CAST(:jobs AS uuid[])) AS id
            WHERE NOT EXISTS (SELECT FROM catalog.deleted_jobs WHERE job_id = id) ORDER BY id
        ) AS named
        CROSS JOIN LATERAL (SELECT * FROM {schema}.jobs WHERE job_id = id FOR UPDATE) AS j
        """,  # noqa: S608
        jobs="text[]",
    )


def _load_documents(schema: str) -> PreparedText:
    """A row for each document named, of what is known of it in its job and in its case."""
    return PreparedText(
        f"load_documents_{schema}",
        f"""
        SELECT named.job_id::text, named.document_id::text, (
            SELECT status FROM {schema}.job_documents AS j
            WHERE j.job_id = named.job_id AND j.document_id = named.document_id
        ), d.process_number, d.document_id::text, d.job_id::text, {_of("d", DocumentRow._fields[3:])}
        FROM unnest(CAST(:jobs AS uuid[]), CAST(:documents AS uuid[]), :processes)
            AS named (job_id, document_id, process_number)
        LEFT JOIN LATERAL (
            SELECT * FROM {schema}.documents AS d
            WHERE d.process_number = named.process_number AND d.document_id = named.document_id LIMIT 1
        ) AS d ON true
        """,  # noqa: S608
        jobs="text[]",
        documents="text[]",
        processes="text[]",
    )


def _of(alias: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in columns)


def _upsert(schema: str, table: Table, columns: Sequence[str], *, key: Sequence[str]) -> str:
    """The INSERT of ``rows`` into a table ``j``, or of one with this key its UPDATE; the case that it is of stays."""
    types = column_types(table)
    names = ", ".join(columns)
    defined = ", ".join(f"{name} {types[name]}" for name in columns)
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in {*key, "process_number"})
    return f"""
    INSERT INTO {schema}.{table.name} AS j ({names})
    SELECT {names} FROM json_to_recordset(CAST(:rows AS json)) AS r ({defined})
    ON CONFLICT ({", ".join(key)}) DO UPDATE SET {changed}
    """  # noqa: S608
