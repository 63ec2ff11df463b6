"""What the downloader reads of the catalog and of the projection: jobs, documents and how far these came."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from shared.db.visibility import travelling_name
from shared.domain.case import PDPJ

_FIND = text(
    """
    SELECT documents.process_number, documents.document_id::text, status, object_key, sha256, size, content_type,
           error_code, error_message, attempts, warnings, rendition, coalesce(revision, 1), replaced_at
    FROM progress.documents
    JOIN unnest(CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS wanted (process_number, document_id)
        USING (process_number, document_id)
    WHERE status = :status
    """
)

_LISTED = text(
    f"""
    SELECT listed.process_number, listed.document_id::text, listed.source_path, {travelling_name("listed")},
           known.status, known.object_key, known.sha256, known.size, known.content_type, known.error_code,
           known.error_message, known.attempts, known.warnings, known.rendition, coalesce(known.revision, 1),
           known.replaced_at, listed.source
    FROM catalog.documents AS listed
    JOIN unnest(CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS wanted (process_number, document_id)
        USING (process_number, document_id)
    LEFT JOIN progress.documents AS known
        ON known.process_number = listed.process_number AND known.document_id = listed.document_id
        AND known.status = 'available'
    """  # noqa: S608 - our own condition
)

_JOBS = text(
    """
    SELECT jobs.job_id::text, jobs.process_number, jobs.scope, jobs.retry_failed, jobs.cancelled_at IS NOT NULL,
           jobs.created_at, known.planned_at IS NOT NULL
    FROM catalog.jobs LEFT JOIN progress.jobs AS known USING (job_id)
    WHERE job_id = ANY(CAST(:ids AS uuid[]))
    """
)

# One array: the workers ask for up to ten thousand jobs every two seconds.
_CANCELLED = text(
    """
    SELECT job_id::text FROM catalog.jobs WHERE job_id = ANY(CAST(:ids AS uuid[])) AND cancelled_at IS NOT NULL
    """
)


ALL = "all"
"""The scope of a job for the whole case."""


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
    warnings: list[str] | None = None
    rendition: str | None = None
    revision: int = 1
    replaced_at: datetime | None = None


class ListedDocument(NamedTuple):
    """A document as the catalog lists it. ``stored`` is what the projection says of it when it is available."""

    source_path: str | None
    name: str
    stored: StoredDocument | None
    source: str = PDPJ


class StoredJob(NamedTuple):
    """A job as api has created it. ``scope`` is :data:`ALL` or the id of the one document that it is about.

    ``retry_failed``: also what failed for good is tried again. ``planned``: the projection knows its documents.
    """

    process_number: str
    scope: str
    retry_failed: bool
    cancelled: bool
    created_at: datetime
    planned: bool


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


def find_listed(connection: Connection, keys: Collection[DocumentKey]) -> dict[DocumentKey, ListedDocument]:
    """Those of ``keys`` that are documents of their case, with what is stored of the available ones."""
    if not keys:
        return {}
    numbers, ids = zip(*keys, strict=True)
    rows = connection.execute(_LISTED, {"numbers": list(numbers), "ids": list(ids)})
    return {
        DocumentKey(row[0], row[1]): ListedDocument(
            row[2], row[3], None if row[4] is None else StoredDocument(*row[4:-1]), row[-1]
        )
        for row in rows
    }


def find_jobs(connection: Connection, job_ids: Collection[str]) -> dict[str, StoredJob]:
    """Those of ``job_ids`` that the catalog has."""
    if not job_ids:
        return {}
    rows = connection.execute(_JOBS, {"ids": list(job_ids)})
    return {row[0]: StoredJob(*row[1:]) for row in rows}


def cancelled_jobs(connection: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Those of ``job_ids`` that a client has cancelled."""
    if not job_ids:
        return frozenset()
    return frozenset(row[0] for row in connection.execute(_CANCELLED, {"ids": list(job_ids)}))
