"""The state of a case that a request is decided by, read in one statement, and how the source's answer changes it."""

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
from services.api.http.problems import CaseBeingDeleted
from services.api.jobs.repository import LAST_OF_CASE, LAST_OF_SCOPE, job_of, prefixed
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import StoredCase
from services.api.processes.request.source_reader import CaseFound, CaseUnchanged
from services.api.processes.view.version import JOBS_OF_CASE, CaseVersion, version_of
from shared.db import catalog, progress
from shared.db.case_store import LOCK, confirm_case, store_case
from shared.db.deletions import case_deletions
from shared.db.prepared import Prepared
from shared.db.visibility import SHOWN_DOCUMENT, sealed_document_of
from shared.domain.secrecy import Knowledge, Sight, is_public_document
from shared.domain.statuses import DocumentStatus, JobScope


@dataclass(frozen=True)
class CaseSnapshot:
    """What is stored, as far as a request is decided by it and answered with it."""

    stored: StoredCase
    version: CaseVersion
    noted_at: datetime | None
    """When it was last noted that the client asked for the case."""
    asked_sealed: bool
    """Whether the client ever asked with a key of the scope ``sealed``."""
    has_sealed_documents: bool
    tat: datetime | None
    now: datetime
    """The client's theoretical arrival time (:mod:`services.api.access.rate_limit`), and the database's clock."""

    def after_storing(self, reading: CaseFound | CaseUnchanged, request: CaseRequest) -> CaseSnapshot:
        """The snapshot once ``reading`` is stored: the case's row is new, and some of its documents may be."""
        stored = replace(self.stored, fetched_at=reading.fetched_at, source_version=reading.version)
        sealed = self.has_sealed_documents
        if isinstance(reading, CaseFound):
            case = reading.case
            shown = {one.document_id for one in case.documents if is_public_document(one.secrecy_level)}
            hidden = {one.document_id for one in case.documents} - shown
            listed = request.document_id in shown or (request.viewer.sealed and request.document_id in hidden)
            # Where its level is new, that decides whether the document is known.
            was_known = stored.document_known and request.document_id not in hidden
            stored = replace(stored, secrecy_level=case.secrecy_level, document_known=listed or was_known)
            # A sealed document that is no longer listed stays in the case.
            sealed = sealed or bool(hidden)
        return replace(
            self,
            stored=stored,
            version=self.version.after(reading.fetched_at, None),
            has_sealed_documents=sealed,
        )

    def sight(self, request: CaseRequest) -> Sight | None:
        """What the client sees of the case once its request is noted."""
        stored = self.stored
        knowledge = Knowledge(
            asked=True,
            asked_sealed=self.asked_sealed or request.viewer.sealed,
            stored=stored.fetched_at is not None,
            level=stored.secrecy_level,
            has_sealed_documents=self.has_sealed_documents,
        )
        return knowledge.sight(request.viewer)


_CASE_JOB: Final = "case_job_"
_OTHER_JOB: Final = "other_job_"


def _statement(other: Select[Any] | None = None, *document: ColumnElement[Any]) -> Select[Any]:
    """One row: moments, totals for the version, the newest job of the case, the ``other`` job, and ``document``."""
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
        func.clock_timestamp().label("now"),
        select(literal(True)).where(case_deletions.c.process_number == bindparam("number")).exists().label("deleted"),
        *totals.c,
        *prefixed(case_job.c, _CASE_JOB),
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
        columns += prefixed(job.c, _OTHER_JOB)
        source = source.join(job, true(), isouter=True)
    return select(*columns, *document).select_from(source)


_NAMED: Final = (
    catalog.documents.c.process_number == bindparam("number"),
    catalog.documents.c.document_id == bindparam("document_id"),
)
# The second one is for a request that downloads nothing: its other job says that there was a job at all.
_STATEMENTS: Final = {
    "autos_known_case": _statement(),
    "autos_known_any_job": _statement(LAST_OF_CASE),
    "autos_known_document": _statement(
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
}
_LOOKS: Final = {name: Prepared(name, statement) for name, statement in _STATEMENTS.items()}
# The lock is a statement of its own in the same round trip: what it waited for is seen.
_HOLDING: Final = {name: Prepared(name, statement, first=LOCK) for name, statement in _STATEMENTS.items()}


def read_snapshot(connection: Connection, request: CaseRequest, limit: str, *, hold: bool = False) -> CaseSnapshot:
    """When the source was read, the jobs and the document that concern the request, and what the client did before.

    One statement, chosen by what is asked for: a request costs one look at the database, whatever it finds. With
    ``hold`` the case is held first, until the transaction ends (:func:`shared.db.case_store.lock_case`). Raises
    CaseBeingDeleted.
    """
    wanted: dict[str, Any] = {
        "number": str(request.number),
        "client_id": request.client_id,
        "limit": limit,
        "scope": JobScope.WHOLE_CASE,
        # With a key of the scope `sealed` this very request is the one that the client asked with.
        "sealed": request.viewer.sealed,
    }
    name = "autos_known_case" if request.download else "autos_known_any_job"
    if request.document_id is not None:
        name = "autos_known_document"
        wanted |= {"document_id": request.document_id, "document_scope": request.document_id}
    row = (_HOLDING if hold else _LOOKS)[name].run(connection, wanted).one()
    if row.deleted:
        raise CaseBeingDeleted(headers={"Retry-After": "1"})
    document_known = request.document_id is not None and bool(row.document_known)
    stored = StoredCase(
        row.fetched_at,
        job_of(row, _CASE_JOB),
        job_of(row, _OTHER_JOB) if name != "autos_known_case" else None,
        document_known=document_known,
        document_available=document_known and row.document_status == DocumentStatus.AVAILABLE,
        source_version=row.source_version,
        secrecy_level=row.secrecy_level,
        asked_before=row.last_requested_at is not None,
    )
    return CaseSnapshot(
        stored,
        version_of(row),
        noted_at=row.last_requested_at,
        asked_sealed=row.asked_sealed,
        has_sealed_documents=row.has_sealed_documents,
        tat=row.tat,
        now=row.now,
    )


def store_reading(
    connection: Connection, reading: CaseFound | CaseUnchanged, snapshot: CaseSnapshot, request: CaseRequest
) -> CaseSnapshot:
    """Store what was read of a case of which something is stored; the snapshot after it.

    Nothing is done when a request of the same moment has stored it (or something newer) already.
    """
    stored = snapshot.stored
    if stored.fetched_at is not None and stored.fetched_at >= reading.fetched_at:
        return snapshot
    if isinstance(reading, CaseFound):
        store_case(connection, reading.case, fetched_at=reading.fetched_at, source_version=reading.version)
        return snapshot.after_storing(reading, request)
    if stored.source_version != reading.version:
        return snapshot
    confirm_case(connection, reading.number, reading.version, fetched_at=reading.fetched_at)
    return snapshot.after_storing(reading, request)
