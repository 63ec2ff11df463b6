"""The workers' rows in schema ``source``: who is alive, and until when nobody asks which source."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.source import pauses, workers
from shared.domain.case import PDPJ
from shared.domain.source_state import DEAD_SECONDS

_FORGET_SECONDS: Final = 60 * DEAD_SECONDS


def row_id(worker_id: str, source: str) -> str:
    """The id of a worker's row for a source. PDPJ's is the worker's own, as before there were others."""
    return worker_id if source == PDPJ else f"{worker_id} {source}"


def pause_name(source: str) -> str:
    """The name of a source's pause. PDPJ's is "source", as before there were others."""
    return "source" if source == PDPJ else f"source {source}"


class Heartbeat(NamedTuple):
    """What a heartbeat learns: workers alive with this one, and seconds of pause left (0: none)."""

    live: int
    pause: float


def write_heartbeat(connection: Connection, worker_id: str, source: str = PDPJ) -> Heartbeat:
    """Write this worker's heartbeat for a source and read the others'. Times are the database's own. The caller
    commits.
    """
    identity = row_id(worker_id, source)
    statement = insert(workers).values(worker_id=identity, source=source, seen_at=func.now())
    connection.execute(statement.on_conflict_do_update(index_elements=["worker_id"], set_={"seen_at": func.now()}))
    live = connection.execute(
        select(func.count())
        .select_from(workers)
        .where(workers.c.source == source, workers.c.seen_at > func.now() - timedelta(seconds=DEAD_SECONDS))
    ).scalar_one()
    left = connection.execute(
        select(func.extract("epoch", pauses.c.until - func.now())).where(pauses.c.name == pause_name(source))
    ).scalar()
    return Heartbeat(int(live), max(0.0, float(left or 0.0)))


def leave(connection: Connection, worker_id: str, source: str = PDPJ) -> None:
    """Take this worker's row for a source away, and those of workers long dead. The caller commits."""
    connection.execute(
        delete(workers).where(
            (workers.c.worker_id == row_id(worker_id, source))
            | (workers.c.seen_at < func.now() - timedelta(seconds=_FORGET_SECONDS))
        )
    )


def write_pause(connection: Connection, seconds: float, source: str = PDPJ) -> None:
    """Every worker stops asking the source for ``seconds`` from now; a longer pause that is there stays."""
    statement = insert(pauses).values(
        name=pause_name(source), source=source, until=func.now() + timedelta(seconds=seconds)
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"until": func.greatest(pauses.c.until, statement.excluded.until)}
        )
    )
