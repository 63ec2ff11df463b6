"""SQL that removes a case from the projection, a batch at a time.

An event of a deleted job that comes later is left out by :meth:`services.status.projection.apply.Projection.apply`, and
by a rebuild, which reads all of them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from services.status.projection.statements import locks
from shared.db import progress
from shared.db.deletions import outbox_rows, removing
from shared.db.prepared import run_together
from shared.deletion import DeletedCase, remove_rows

_OF_JOBS: Final = "job_id = ANY (CAST(:jobs AS uuid[]))"
# The record lies here as it came, so its bytes and its headers are searched.
_NAMED: Final = " OR ".join(
    f"position(convert_to(:{name}, 'UTF8') IN {column}) > 0 OR position(:{name} IN headers::text) > 0"
    for name in ("number", "digits")
    for column in ("value", "key")
)
OF_JOBS: Final = {
    "job_documents": removing("progress.job_documents", _OF_JOBS),
    "projected_jobs": removing("progress.jobs", _OF_JOBS),
}
_STATEMENTS: Final = {
    "projected_documents": removing("progress.documents", "process_number = :number"),
    "job_documents": removing("progress.job_documents", _OF_JOBS),
    "projected_jobs": removing("progress.jobs", f"process_number = :number OR {_OF_JOBS}"),
    "dead_letters": removing("progress.dead_letters", _NAMED),
    "outbox": outbox_rows(progress.SCHEMA),
}
# A rebuild may have read events of the jobs before their case was deleted.
_OUT_OF_REBUILD: Final = (
    "DELETE FROM {schema}.documents WHERE job_id IN (SELECT job_id FROM catalog.deleted_jobs)",
    "DELETE FROM {schema}.job_documents WHERE job_id IN (SELECT job_id FROM catalog.deleted_jobs)",
    "DELETE FROM {schema}.jobs WHERE job_id IN (SELECT job_id FROM catalog.deleted_jobs)",
)


def purge(connection: Connection, case: DeletedCase) -> Mapping[str, int]:
    """Remove at most a batch of one case; the caller commits.

    It holds the case as a batch of events does, so that what is being applied is either removed here, or sees that its
    job is deleted (:meth:`services.status.projection.apply.Projection.apply`).
    """
    run_together(connection, *locks([case.process_number]))
    return remove_rows(connection, case, _STATEMENTS)


def leave_out_deleted(connection: Connection, schema: str) -> None:
    """Remove the jobs of deleted cases from the tables that a rebuild has filled; ``schema`` is a constant."""
    for statement in _OUT_OF_REBUILD:
        connection.execute(text(statement.format(schema=schema)))
