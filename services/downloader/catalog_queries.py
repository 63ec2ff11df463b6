"""The queries of the catalog and the projection that planner and fetcher share: jobs, documents, what is stored."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from shared.db.document_states import listed_text, state_text
from shared.db.visibility import travelling_name
from shared.domain.case import PDPJ
from shared.domain.statuses import DocumentStatus

_FIND = text(
    """
    SELECT documents.process_number, documents.document_id::text AS document_id, status, object_key, sha256, size,
           content_type, error_code, error_message, attempts, warnings, rendition, coalesce(revision, 1) AS revision,
           replaced_at, fetched_at, source_headers, object_version
    FROM progress.documents
    JOIN unnest(CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS wanted (process_number, document_id)
        USING (process_number, document_id)
    WHERE status = :status
    """
)

_LISTED = text(
    f"""
    SELECT listed.process_number, listed.document_id::text AS document_id, listed.source_path,
           {travelling_name("listed")},
           known.status, known.object_key, known.sha256, known.size, known.content_type, known.error_code,
           known.error_message, known.attempts, known.warnings, known.rendition,
           coalesce(known.revision, 1) AS revision, known.replaced_at, known.fetched_at, known.source_headers,
           known.object_version, listed.source
    FROM (
        SELECT process_number, array_agg(document_id) AS ids
        FROM unnest(CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS wanted (process_number, document_id)
        GROUP BY process_number
    ) AS of_case
    CROSS JOIN {listed_text("of_case.process_number", "of_case.ids", "listed")}
    LEFT JOIN {state_text("listed", "known")} ON known.status = :available
    """  # noqa: S608 - our own condition
)

_JOBS = text(
    """
    SELECT jobs.job_id::text AS job_id, jobs.process_number, jobs.scope, jobs.retry_failed,
           jobs.cancelled_at IS NOT NULL AS cancelled, jobs.created_at, known.planned_at IS NOT NULL AS planned
    FROM catalog.jobs LEFT JOIN progress.jobs AS known USING (job_id)
    WHERE job_id = ANY(CAST(:ids AS uuid[]))
    """
)

# One array: the workers ask for up to ten thousand jobs every two seconds.
_CANCELLED = text(
    """
    SELECT job_id::text AS job_id FROM catalog.jobs
    WHERE job_id = ANY(CAST(:ids AS uuid[])) AND cancelled_at IS NOT NULL
    UNION ALL
    SELECT job_id::text FROM catalog.deleted_jobs WHERE job_id = ANY(CAST(:ids AS uuid[]))
    """
)

_PLAN_OF = text("SELECT EXISTS (SELECT FROM source.plans WHERE plan_id = :plan AND job_id = :job)")


class DocumentKey(NamedTuple):
    """A document of a case, as the projection keys it."""

    process_number: str
    document_id: str


class ProjectedDocument(NamedTuple):
    """A document as the projection has it. ``size`` is bytes."""

    status: DocumentStatus
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
    fetched_at: datetime | None = None
    source_headers: list[str] | None = None
    object_version: str | None = None


class ListedDocument(NamedTuple):
    """A document as the catalog lists it. ``stored`` is what the projection says of it when it is available."""

    source_path: str | None
    name: str
    stored: ProjectedDocument | None
    source: str = PDPJ


class StoredJob(NamedTuple):
    """A job as api has created it. ``scope`` is JobScope.WHOLE_CASE or the id of the one document that it is about.

    ``retry_failed``: also what failed for good is tried again. ``planned``: the projection knows its documents.
    """

    process_number: str
    scope: str
    retry_failed: bool
    cancelled: bool
    created_at: datetime
    planned: bool


def find_documents(
    connection: Connection, keys: Collection[DocumentKey], *, status: DocumentStatus
) -> dict[DocumentKey, ProjectedDocument]:
    """Those of ``keys`` that the projection has in this status. One statement for any number of keys;
    writes nothing.
    """
    if not keys:
        return {}
    numbers, ids = zip(*keys, strict=True)
    # Two arrays instead of a thousand pairs of parameters: the statement stays short and is planned once.
    rows = connection.execute(_FIND, {"numbers": list(numbers), "ids": list(ids), "status": status})
    return {_key(row): _projected(row) for row in rows}


def find_listed(connection: Connection, keys: Collection[DocumentKey]) -> dict[DocumentKey, ListedDocument]:
    """Those of ``keys`` that are documents of their case, with what is stored of the available ones."""
    if not keys:
        return {}
    numbers, ids = zip(*keys, strict=True)
    asked = {"numbers": list(numbers), "ids": list(ids), "available": DocumentStatus.AVAILABLE}
    rows = connection.execute(_LISTED, asked)
    return {
        _key(row): ListedDocument(
            row.source_path, row.name, None if row.status is None else _projected(row), row.source
        )
        for row in rows
    }


def find_jobs(connection: Connection, job_ids: Collection[str]) -> dict[str, StoredJob]:
    """Those of ``job_ids`` that the catalog has."""
    if not job_ids:
        return {}
    rows = connection.execute(_JOBS, {"ids": list(job_ids)})
    return {
        row.job_id: StoredJob(
            process_number=row.process_number,
            scope=row.scope,
            retry_failed=row.retry_failed,
            cancelled=row.cancelled,
            created_at=row.created_at,
            planned=row.planned,
        )
        for row in rows
    }


def cancelled_jobs(connection: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Those of ``job_ids`` that a client has cancelled, or whose case was deleted."""
    if not job_ids:
        return frozenset()
    return frozenset(row.job_id for row in connection.execute(_CANCELLED, {"ids": list(job_ids)}))


def is_plan_of(connection: Connection, plan_id: str, job_id: str) -> bool:
    """Whether there is such a plan, and it is the job's."""
    found: bool = connection.execute(_PLAN_OF, {"plan": plan_id, "job": job_id}).scalar_one()
    return found


def _key(row: Row[Any]) -> DocumentKey:
    return DocumentKey(row.process_number, row.document_id)


def _projected(row: Row[Any]) -> ProjectedDocument:
    return ProjectedDocument(
        status=DocumentStatus(row.status),
        object_key=row.object_key,
        sha256=row.sha256,
        size=row.size,
        content_type=row.content_type,
        error_code=row.error_code,
        error_message=row.error_message,
        attempts=row.attempts,
        warnings=row.warnings,
        rendition=row.rendition,
        revision=row.revision,
        replaced_at=row.replaced_at,
        fetched_at=row.fetched_at,
        source_headers=row.source_headers,
        object_version=row.object_version,
    )
