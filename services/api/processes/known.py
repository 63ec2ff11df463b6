"""What a request is decided by: read in its transaction; and what was read at the source, stored in it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from services.api.jobs import repository as jobs
from services.api.jobs.model import ALL
from services.api.processes.decisions import Ask, Known
from services.api.processes.source import Found, Unchanged
from shared.db import catalog, progress
from shared.db.case_store import confirm_case, store_case


def read_known(connection: Connection, ask: Ask) -> Known:
    """When the source was read, the jobs that concern the request, and the document asked for."""
    stored = connection.execute(
        select(catalog.processes.c.fetched_at, catalog.processes.c.source_version).where(
            catalog.processes.c.process_number == ask.number
        )
    ).one_or_none()
    fetched_at, version = stored if stored is not None else (None, None)
    case_job = jobs.last_of_scope(connection, ask.number, ALL)
    if ask.document_id is None:
        # Only shown when nothing is to be downloaded: it says that there was a job at all.
        other = jobs.last_of_case(connection, ask.number) if not ask.download else None
        return Known(fetched_at, case_job, other, source_version=version)
    row = connection.execute(
        select(catalog.documents.c.document_id, progress.documents.c.status)
        .join(
            progress.documents,
            (progress.documents.c.process_number == catalog.documents.c.process_number)
            & (progress.documents.c.document_id == catalog.documents.c.document_id),
            isouter=True,
        )
        .where(catalog.documents.c.process_number == ask.number, catalog.documents.c.document_id == ask.document_id)
    ).one_or_none()
    return Known(
        fetched_at,
        case_job,
        jobs.last_of_scope(connection, ask.number, ask.document_id),
        document_known=row is not None,
        document_available=row is not None and row.status == "available",
        source_version=version,
    )


def store_reading(connection: Connection, reading: Found | Unchanged) -> None:
    """Store what was read, unless a request of the same moment has stored it (or something newer) already."""
    if isinstance(reading, Unchanged):
        confirm_case(connection, reading.number, reading.version, fetched_at=reading.fetched_at)
        return
    stored = connection.execute(
        select(catalog.processes.c.fetched_at).where(catalog.processes.c.process_number == reading.case.process_number)
    ).scalar_one_or_none()
    if stored is None or stored < reading.fetched_at:
        store_case(connection, reading.case, fetched_at=reading.fetched_at, source_version=reading.version)
