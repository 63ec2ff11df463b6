"""What the downloader reads of the projection and of the jobs: how far documents came, which jobs are cancelled."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, text

_FIND = text(
    """
    SELECT documents.process_number, documents.document_id::text, status, object_key, sha256, size, content_type,
           error_code, error_message, attempts
    FROM progress.documents
    JOIN unnest(CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS wanted (process_number, document_id)
        USING (process_number, document_id)
    WHERE status = :status
    """
)

# One array: the workers ask for up to ten thousand jobs every two seconds.
_CANCELLED = text(
    """
    SELECT job_id::text FROM catalog.jobs WHERE job_id = ANY(CAST(:ids AS uuid[])) AND cancelled_at IS NOT NULL
    """
)


class DocumentKey(NamedTuple):
    """A document of a case, as the projection keys it."""

    process_number: str
    document_id: str


class StoredDocument(NamedTuple):
    """A document as the projection has it. ``size`` is bytes."""

    status: str
    object_key: str | None
    sha256: str | None
    size: int | None
    content_type: str | None
    error_code: str | None
    error_message: str | None
    attempts: int


def find_documents(
    connection: Connection, keys: Collection[DocumentKey], *, status: str
) -> dict[DocumentKey, StoredDocument]:
    """Those of ``keys`` that the projection has in this status."""
    if not keys:
        return {}
    numbers, ids = zip(*keys, strict=True)
    # Two arrays instead of a thousand pairs of parameters: the statement stays short and is planned once.
    rows = connection.execute(_FIND, {"numbers": list(numbers), "ids": list(ids), "status": status})
    return {DocumentKey(row[0], row[1]): StoredDocument(*row[2:]) for row in rows}


def cancelled_jobs(connection: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Those of ``job_ids`` that a client has cancelled."""
    if not job_ids:
        return frozenset()
    return frozenset(row[0] for row in connection.execute(_CANCELLED, {"ids": list(job_ids)}))
