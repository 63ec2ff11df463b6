"""The SQL of cases and their documents as clients see them: ``catalog``, ``progress`` and what ``delivery`` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Text, and_, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.db import delivery, progress
from shared.db.catalog import documents, job_webhooks, jobs, process_requests, processes
from shared.pdpj.errors import PERMANENT_CODES

_RECORD_EVERY: Final = timedelta(seconds=60)
_NAMED_AT_MOST: Final = 2000


# Ids as text: of a case of a thousand documents a fifth of the time went into making UUIDs and taking them apart.
_LISTED: Final = (
    cast(documents.c.document_id, Text).label("document_id"),
    *(column for column in documents.c if column.name not in {"document_id", "process_number", "source_path"}),
)
_STATE: Final = (
    cast(progress.documents.c.document_id, Text).label("document_id"),
    *(column for column in progress.documents.c if column.name not in {"document_id", "process_number", "job_id"}),
)


@dataclass(frozen=True)
class Webhook:
    """A subscription of the caller and how far its delivery is (None: the notifier has not seen it yet)."""

    url: str
    subscription_id: str
    delivery_status: str | None

    def view(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "subscription_id": self.subscription_id,
            "status": self.delivery_status or "pending",
        }


@dataclass(frozen=True)
class Document:
    """A document as the source lists it, and what the projection says of it (None: nothing yet)."""

    listed: Row[Any]
    state: Row[Any] | None

    @property
    def available(self) -> bool:
        return self.state is not None and self.state.status == "available" and self.state.object_key is not None


def documents_of(
    connection: Connection, process_number: str, *, document_id: str | None = None, available_only: bool = False
) -> list[Document]:
    """The documents of a case in the source's order; all, or the one, or the available ones."""
    listed = select(*_LISTED).where(documents.c.process_number == process_number)
    states = select(*_STATE).where(progress.documents.c.process_number == process_number)
    if document_id is not None:
        listed = listed.where(documents.c.document_id == document_id)
        states = states.where(progress.documents.c.document_id == document_id)
    by_id = {row.document_id: row for row in connection.execute(states)}
    rows = connection.execute(listed.order_by(documents.c.position, documents.c.document_id))
    found = [Document(row, by_id.get(row.document_id)) for row in rows]
    return [document for document in found if document.available] if available_only else found


def count_documents(connection: Connection, process_number: str) -> int:
    """How many documents are known of a case."""
    counted: int = connection.execute(
        select(func.count()).select_from(documents).where(documents.c.process_number == process_number)
    ).scalar_one()
    return counted


def webhook_of(
    connection: Connection, job_id: str, client_id: str, subscription_id: str | None = None
) -> Webhook | None:
    """The caller's subscription of a job: the one named, else the newest."""
    statement = (
        select(job_webhooks.c.url, job_webhooks.c.subscription_id, delivery.deliveries.c.status)
        .join(
            delivery.deliveries,
            delivery.deliveries.c.subscription_id == job_webhooks.c.subscription_id,
            isouter=True,
        )
        .where(job_webhooks.c.job_id == job_id, job_webhooks.c.client_id == client_id)
        .order_by(job_webhooks.c.created_at.desc())
        .limit(1)
    )
    if subscription_id is not None:
        statement = statement.where(job_webhooks.c.subscription_id == subscription_id)
    row = connection.execute(statement).one_or_none()
    return Webhook(row.url, row.subscription_id, row.status) if row is not None else None


def was_asked_for(connection: Connection, process_number: str) -> bool:
    """Whether anybody has ever asked for the case."""
    return (
        connection.execute(
            select(processes.c.process_number).where(processes.c.process_number == process_number)
        ).first()
        is not None
        or connection.execute(select(jobs.c.job_id).where(jobs.c.process_number == process_number).limit(1)).first()
        is not None
    )


def record_request(connection: Connection, client_id: str, process_number: str, now: datetime) -> None:
    """Note that a client asked for a case; at most once a minute, so that reading stays reading."""
    last = connection.execute(
        select(process_requests.c.last_requested_at).where(
            process_requests.c.client_id == client_id, process_requests.c.process_number == process_number
        )
    ).scalar_one_or_none()
    if last is not None and now - last < _RECORD_EVERY:
        return
    statement = insert(process_requests).values(
        client_id=client_id, process_number=process_number, first_requested_at=now, last_requested_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(index_elements=["client_id", "process_number"], set_={"last_requested_at": now})
    )


def explicit_retry(connection: Connection, process_number: str) -> list[str] | None:
    """The documents to name when failed ones are to be tried again; None when no naming is needed.

    The planner leaves out what failed for a permanent reason unless it is named. Then all documents of the case are
    named, so that the job still counts the whole case; of a very large case only those that are not available, so
    that the event stays small.
    """
    state = progress.documents
    failed = connection.execute(
        select(state.c.document_id)
        .where(
            state.c.process_number == process_number,
            state.c.status == "failed",
            state.c.error_code.in_(PERMANENT_CODES),
        )
        .limit(1)
    ).first()
    if failed is None:
        return None
    rows = connection.execute(
        select(documents.c.document_id, state.c.status)
        .join(
            state,
            and_(state.c.process_number == documents.c.process_number, state.c.document_id == documents.c.document_id),
            isouter=True,
        )
        .where(documents.c.process_number == process_number)
        .order_by(documents.c.position, documents.c.document_id)
    ).all()
    if len(rows) <= _NAMED_AT_MOST:
        return [row.document_id for row in rows]
    return [row.document_id for row in rows if row.status != "available"]


@dataclass(frozen=True)
class Marker:
    """Changes when anything that a client can see of a case changes; cheap to read."""

    fetched_at: datetime | None
    jobs: int
    newest: datetime | None
    cancelled: int
    versions: int
    ended: bool
    """Whether the case's newest job is over (or there is none)."""

    def text(self) -> str:
        """A short text that is equal for equal markers."""
        parts = (
            _micros(self.fetched_at),
            self.jobs,
            _micros(self.newest),
            self.cancelled,
            self.versions,
        )
        return "-".join(format(part, "x") for part in parts)


def _micros(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1_000_000) if moment is not None else 0


def read_marker(connection: Connection, process_number: str) -> Marker | None:
    """The marker of a case; None when it was never asked for."""
    known = progress.jobs
    fetched_at = select(processes.c.fetched_at).where(processes.c.process_number == process_number).scalar_subquery()
    row = connection.execute(
        select(
            fetched_at.label("fetched_at"),
            func.count().label("jobs"),
            func.max(jobs.c.created_at).label("newest"),
            func.count(jobs.c.cancelled_at).label("cancelled"),
            func.coalesce(func.sum(known.c.version), 0).label("versions"),
            func.count().filter(jobs.c.active, known.c.completed_at.is_(None)).label("running"),
        )
        .select_from(jobs.join(known, known.c.job_id == jobs.c.job_id, isouter=True))
        .where(jobs.c.process_number == process_number)
    ).one()
    if row.fetched_at is None and row.jobs == 0:
        return None
    return Marker(row.fetched_at, row.jobs, row.newest, row.cancelled, int(row.versions), row.running == 0)
