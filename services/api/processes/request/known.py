"""What a request is decided by, read in one statement; and what was read at the source, stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    Uuid,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    true,
)

from services.api.access import rate_limit as ratelimit
from services.api.jobs.model import ALL
from services.api.jobs.repository import COLUMNS, LAST_OF_CASE, LAST_OF_SCOPE, job_of
from services.api.processes.follow.markers import JOBS_OF_CASE, TOTALS, Marker, marker_of
from services.api.processes.request.decisions import Ask, Known
from services.api.processes.request.discovery import Found, Unchanged
from shared.db import catalog, progress
from shared.db.case_store import confirm_case, store_case
from shared.db.prepared import Prepared
from shared.db.visibility import SHOWN_DOCUMENT, sealed_document_of
from shared.domain.secrecy import Knowledge, Sight, is_public_document


@dataclass(frozen=True)
class Seen:
    """What is stored, as far as a request is decided by it and answered with it."""

    known: Known
    marker: Marker
    noted_at: datetime | None
    """When it was last noted that the client asked for the case."""
    asked_sealed: bool
    """Whether the client ever asked with a key of the scope ``sealed``."""
    has_sealed_documents: bool
    tat: datetime | None
    now: datetime
    """The client's theoretical arrival time (:mod:`services.api.access.rate_limit`), and the database's clock."""

    def after_storing(self, reading: Found | Unchanged, ask: Ask) -> Seen:
        """The same once ``reading`` is stored: the case's row is new, and documents of it may be."""
        known = replace(self.known, fetched_at=reading.fetched_at, source_version=reading.version)
        sealed = self.has_sealed_documents
        if isinstance(reading, Found):
            case = reading.case
            shown = {one.document_id for one in case.documents if is_public_document(one.secrecy_level)}
            hidden = {one.document_id for one in case.documents} - shown
            listed = ask.document_id in shown or (ask.viewer.sealed and ask.document_id in hidden)
            # A document of which the level is new is known or not by that.
            was_known = known.document_known and ask.document_id not in hidden
            known = replace(known, secrecy_level=case.secrecy_level, document_known=listed or was_known)
            # One that is no longer listed stays in the case.
            sealed = sealed or bool(hidden)
        return replace(
            self,
            known=known,
            marker=self.marker.after(reading.fetched_at, None),
            has_sealed_documents=sealed,
        )

    def sight(self, ask: Ask) -> Sight | None:
        """What the client sees of the case once its request is noted."""
        known = self.known
        knowledge = Knowledge(
            asked=True,
            asked_sealed=self.asked_sealed or ask.viewer.sealed,
            stored=known.fetched_at is not None,
            level=known.secrecy_level,
            has_sealed_documents=self.has_sealed_documents,
        )
        return knowledge.sight(ask.viewer)


_MOMENTS: Final = 8
_TOTALS: Final = len(TOTALS)
_JOB: Final = len(COLUMNS)


def _statement(other: Select[Any] | None = None, *document: ColumnElement[Any]) -> Select[Any]:
    """One row: moments, totals for the marker, the newest job of the case, then the columns of the other two."""
    totals = JOBS_OF_CASE.subquery("totals")
    case_job = LAST_OF_SCOPE.lateral("case_job")
    process, request = catalog.processes, catalog.process_requests
    columns: list[ColumnElement[Any]] = [
        process.c.fetched_at,
        process.c.source_version,
        process.c.secrecy_level,
        request.c.last_requested_at,
        func.coalesce(request.c.sealed, literal_column("false")).label("asked_sealed"),
        sealed_document_of(bindparam("number", type_=Text)).label("has_sealed_documents"),
        ratelimit.tat_of(bindparam("client_id"), bindparam("limit")).label("tat"),
        func.clock_timestamp(),
        *totals.c,
        *case_job.c,
    ]
    source = (
        totals.join(process, process.c.process_number == bindparam("number"), isouter=True)
        .join(
            request,
            (request.c.client_id == bindparam("client_id")) & (request.c.process_number == bindparam("number")),
            isouter=True,
        )
        .join(case_job, true(), isouter=True)
    )
    if other is not None:
        job = other.lateral("other_job")
        columns += job.c
        source = source.join(job, true(), isouter=True)
    return select(*columns, *document).select_from(source)


_NAMED: Final = (
    catalog.documents.c.process_number == bindparam("number"),
    catalog.documents.c.document_id == bindparam("document_id"),
)
_CASE: Final = Prepared("autos_known_case", _statement())
# Only shown when nothing is to be downloaded: it says that there was a job at all.
_ANY_JOB: Final = Prepared("autos_known_any_job", _statement(LAST_OF_CASE))
_DOCUMENT: Final = Prepared(
    "autos_known_document",
    _statement(
        LAST_OF_CASE.where(catalog.jobs.c.scope == bindparam("document_scope")),
        select(literal(True)).where(*_NAMED, SHOWN_DOCUMENT).scalar_subquery().label("document_known"),
        select(progress.documents.c.status)
        .where(
            progress.documents.c.process_number == bindparam("number"),
            progress.documents.c.document_id == bindparam("document_id", type_=Uuid(as_uuid=False)),
        )
        .scalar_subquery()
        .label("document_status"),
    ),
)


def read_known(connection: Connection, ask: Ask, limit: str) -> Seen:
    """When the source was read, the jobs that concern the request, the document asked for; and the client's side."""
    wanted: dict[str, Any] = {
        "number": str(ask.number),
        "client_id": ask.client_id,
        "limit": limit,
        "scope": ALL,
        # With a key of the scope this very request is what the client asks with.
        "sealed": ask.viewer.sealed,
    }
    statement = _CASE if ask.download else _ANY_JOB
    if ask.document_id is not None:
        statement = _DOCUMENT
        wanted |= {"document_id": ask.document_id, "document_scope": ask.document_id}
    row = statement.run(connection, wanted).one()
    jobs_at = _MOMENTS + _TOTALS
    other_at = jobs_at + _JOB
    known = Known(
        row[0],
        job_of(row[jobs_at:other_at]),
        job_of(row[other_at : other_at + _JOB]) if statement is not _CASE else None,
        document_known=statement is _DOCUMENT and bool(row.document_known),
        document_available=statement is _DOCUMENT and bool(row.document_known) and row.document_status == "available",
        source_version=row[1],
        secrecy_level=row[2],
        asked_before=row[3] is not None,
    )
    return Seen(known, marker_of(row[0], row[_MOMENTS:jobs_at]), *row[3:_MOMENTS])


def store_reading(connection: Connection, reading: Found | Unchanged, known: Known) -> bool:
    """Store what was read; False when a request of the same moment has stored it (or something newer) already."""
    if known.fetched_at is not None and known.fetched_at >= reading.fetched_at:
        return False
    if isinstance(reading, Found):
        store_case(connection, reading.case, fetched_at=reading.fetched_at, source_version=reading.version)
        return True
    if known.source_version != reading.version:
        return False
    confirm_case(connection, reading.number, reading.version, fetched_at=reading.fetched_at)
    return True
