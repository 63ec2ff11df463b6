"""What live workers write of a source that forbids everything: each for itself, and what that makes together.

Written by downloader, read by api. Times are the database's own; ages are seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select, update

from shared.db.source import states, workers
from shared.domain.case import PDPJ
from shared.domain.source_state import DEAD_SECONDS, SourceState


def write(connection: Connection, worker_id: str, *, forbidden_for: float | None, answered_ago: float | None) -> None:
    """This worker's word: since when it finds everything forbidden (None: it does not), and when it got an answer."""
    values = {"forbidden_since": _ago(forbidden_for), "answered_at": _ago(answered_ago)}
    connection.execute(update(workers).where(workers.c.worker_id == worker_id).values(values))


def answered_elsewhere(connection: Connection, worker_id: str, source: str = PDPJ) -> float | None:
    """Seconds since the source answered another live worker; None when it has not."""
    age = connection.execute(
        select(func.extract("epoch", func.now() - func.max(workers.c.answered_at))).where(
            workers.c.worker_id != worker_id, workers.c.source == source, _alive()
        )
    ).scalar()
    return None if age is None else max(0.0, float(age))


def forbidden_for(connection: Connection) -> float | None:
    """Seconds for which a source has forbidden everything, the longest of all; None when none does, or all have
    answered since.
    """
    rows = connection.execute(
        select(
            func.extract("epoch", func.now() - func.min(workers.c.forbidden_since)).label("forbidden"),
            func.extract("epoch", func.now() - func.max(workers.c.answered_at)).label("answered"),
        )
        .where(_alive())
        .group_by(workers.c.source)
    )
    forbidden = [
        max(0.0, float(row.forbidden))
        for row in rows
        if row.forbidden is not None and (row.answered is None or row.answered > row.forbidden)
    ]
    return max(forbidden, default=None)


def away_for(connection: Connection) -> tuple[str, float] | None:
    """Why a source is away, and for how many seconds, of the one that is so longest; None when none is.

    As the live workers find it: without one nobody says so.
    """
    asked = select(workers.c.source).where(workers.c.source == states.c.source, _alive()).exists()
    row = connection.execute(
        select(states.c.reason, func.extract("epoch", func.now() - states.c.since))
        .where(states.c.state == SourceState.AWAY.value, asked)
        .order_by(states.c.since)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0] or "source_unavailable", max(0.0, float(row[1])))


def _alive() -> ColumnElement[bool]:
    return workers.c.seen_at > func.now() - timedelta(seconds=DEAD_SECONDS)


def _ago(seconds: float | None) -> ColumnElement[datetime] | None:
    return None if seconds is None else func.now() - timedelta(seconds=seconds)
