"""The workers' rows in schema ``source``: who is alive, and until when nobody asks the source."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from services.downloader.source_share.share import DEAD_SECONDS
from shared.db.source import pauses, workers

PAUSE: Final = "source"
"""The name of the one pause there is: of the whole source, after a 429."""

_FORGET_SECONDS: Final = 60 * DEAD_SECONDS


class Beat(NamedTuple):
    """What a heartbeat learns: workers alive with this one, and seconds of pause left (0: none)."""

    live: int
    pause: float


def beat(connection: Connection, worker_id: str) -> Beat:
    """Write this worker's heartbeat and read what the others have written. Times are the database's own."""
    statement = insert(workers).values(worker_id=worker_id, seen_at=func.now())
    connection.execute(statement.on_conflict_do_update(index_elements=["worker_id"], set_={"seen_at": func.now()}))
    live = connection.execute(
        select(func.count())
        .select_from(workers)
        .where(workers.c.seen_at > func.now() - timedelta(seconds=DEAD_SECONDS))
    ).scalar_one()
    left = connection.execute(
        select(func.extract("epoch", pauses.c.until - func.now())).where(pauses.c.name == PAUSE)
    ).scalar()
    return Beat(int(live), max(0.0, float(left or 0.0)))


def leave(connection: Connection, worker_id: str) -> None:
    """Take this worker's row away, and those of workers long dead."""
    connection.execute(
        delete(workers).where(
            (workers.c.worker_id == worker_id) | (workers.c.seen_at < func.now() - timedelta(seconds=_FORGET_SECONDS))
        )
    )


def write_pause(connection: Connection, seconds: float) -> None:
    """Every worker stops asking the source for ``seconds`` from now; a longer pause that is there stays."""
    statement = insert(pauses).values(name=PAUSE, until=func.now() + timedelta(seconds=seconds))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"until": func.greatest(pauses.c.until, statement.excluded.until)}
        )
    )
