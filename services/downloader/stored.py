"""What the downloader reads of the projection and of the jobs: how far documents came, which jobs are cancelled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, tuple_

from shared.db import catalog, progress


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


def find_documents(connection: Connection, keys: Collection[DocumentKey]) -> dict[DocumentKey, StoredDocument]:
    """Those of ``keys`` that the projection knows."""
    if not keys:
        return {}
    table = progress.documents
    rows = connection.execute(
        select(
            table.c.process_number,
            table.c.document_id,
            *(table.c[name] for name in StoredDocument._fields),
        ).where(tuple_(table.c.process_number, table.c.document_id).in_([tuple(key) for key in keys]))
    )
    return {DocumentKey(row[0], row[1]): StoredDocument(*row[2:]) for row in rows}


def cancelled_jobs(connection: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Those of ``job_ids`` that a client has cancelled."""
    if not job_ids:
        return frozenset()
    table = catalog.jobs
    chosen: Sequence[str] = list(job_ids)
    rows = connection.execute(
        select(table.c.job_id).where(table.c.job_id.in_(chosen), table.c.cancelled_at.is_not(None))
    )
    return frozenset(row[0] for row in rows)
