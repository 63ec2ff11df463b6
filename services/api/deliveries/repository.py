"""The SQL of deliveries and attempts, which the notifier writes and the api only reads."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_

from shared.db.catalog import jobs
from shared.db.delivery import attempts, deliveries
from shared.db.visibility import shown_number
from shared.domain.secrecy import Viewer

# The trace of a request of another client is not this one's to know.
_TRACE: Final = (
    select(func.substr(jobs.c.traceparent, 4, 32))
    .where(jobs.c.job_id == deliveries.c.job_id, jobs.c.client_id == deliveries.c.client_id)
    .scalar_subquery()
    .label("trace_id")
)


def find(connection: Connection, viewer: Viewer, delivery_id: str) -> Row[Any] | None:
    """A delivery of this client about a case that is not hidden from it, or None."""
    return connection.execute(
        select(deliveries, _TRACE).where(deliveries.c.delivery_id == delivery_id, *_of(viewer))
    ).first()


def _of(viewer: Viewer) -> tuple[ColumnElement[bool], ...]:
    return deliveries.c.client_id == viewer.client_id, shown_number(viewer, deliveries.c.process_number)


def attempts_of(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Every attempt of some deliveries, by delivery, oldest first."""
    found: dict[str, list[Row[Any]]] = {delivery_id: [] for delivery_id in delivery_ids}
    rows = connection.execute(
        select(attempts).where(attempts.c.delivery_id.in_(delivery_ids)).order_by(attempts.c.attempt, attempts.c.id)
    )
    for row in rows:
        found[row.delivery_id].append(row)
    return found


def page(
    connection: Connection,
    viewer: Viewer,
    *,
    process_number: str | None,
    status: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """A client's deliveries, newest first, those older than ``before``."""
    statement = (
        select(deliveries, _TRACE)
        .where(*_of(viewer))
        .order_by(deliveries.c.created_at.desc(), deliveries.c.delivery_id.desc())
        .limit(limit)
    )
    if process_number is not None:
        statement = statement.where(deliveries.c.process_number == process_number)
    if status is not None:
        statement = statement.where(deliveries.c.status == status)
    if before is not None:
        key = tuple_(deliveries.c.created_at, deliveries.c.delivery_id)
        statement = statement.where(key < tuple_(before[0], str(uuid.UUID(before[1]))))
    return connection.execute(statement).all()
