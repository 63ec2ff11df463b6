"""The outboxes as an operator sees them: how they stand, what is set aside, and the way back.

For the commands (``autos doctor``, ``autos dead``), the readiness probe and the notifier's alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, func, literal, select, text, union_all

from shared.db import catalog, delivery, progress
from shared.db.channels import OUTBOX

OUTBOXES: Final[dict[str, Table]] = {
    str(table.schema): table for table in (catalog.outbox, progress.outbox, delivery.outbox)
}
"""By schema."""
STALLED_SECONDS: Final = 30.0
"""An outbox whose oldest event waits longer stands still."""


@dataclass(frozen=True)
class OutboxState:
    """How one outbox stands. ``seconds``: since when its oldest event waits, 0.0 without one."""

    schema: str
    seconds: float
    set_aside: int

    @property
    def stalled(self) -> bool:
        """Whether its oldest event has waited for longer than STALLED_SECONDS."""
        return self.seconds > STALLED_SECONDS


@dataclass(frozen=True)
class SetAside:
    """An event that the broker will never take. ``id`` is what show and replay take."""

    schema: str
    seq: int
    at: datetime
    reason: str
    topic: str
    key: str
    type: str
    bytes: int

    @property
    def id(self) -> str:
        """``outbox/{schema}/{seq}``."""
        return f"outbox/{self.schema}/{self.seq}"


def outbox_states(connection: Connection) -> list[OutboxState]:
    """How every outbox stands."""
    parts = []
    for schema, table in OUTBOXES.items():
        oldest = (
            select(table.c.created_at)
            .where(table.c.published_at.is_(None), table.c.set_aside_at.is_(None))
            .order_by(table.c.seq)
            .limit(1)
            .scalar_subquery()
        )
        aside = select(func.count()).select_from(table).where(table.c.set_aside_at.is_not(None)).scalar_subquery()
        age = func.coalesce(func.extract("epoch", func.clock_timestamp() - oldest), 0)
        parts.append(select(literal(schema).label("schema"), age.label("seconds"), aside.label("set_aside")))
    rows = connection.execute(union_all(*parts)).all()
    return [OutboxState(row.schema, max(0.0, float(row.seconds)), row.set_aside) for row in rows]


def set_aside(connection: Connection, schema: str, seq: int | None = None) -> list[SetAside]:
    """What is set aside in an outbox, oldest first; or the one."""
    table = OUTBOXES[schema]
    statement = _set_aside_of(table).order_by(table.c.set_aside_at, table.c.seq)
    if seq is not None:
        statement = statement.where(table.c.seq == seq)
    return [_shown(schema, row) for row in connection.execute(statement)]


def newest_set_aside(connection: Connection, schema: str, *, before: int | None, most: int) -> list[SetAside]:
    """At most ``most`` of what is set aside in an outbox, the latest events first: those before a ``seq``."""
    table = OUTBOXES[schema]
    statement = _set_aside_of(table).order_by(table.c.seq.desc()).limit(most)
    if before is not None:
        statement = statement.where(table.c.seq < before)
    return [_shown(schema, row) for row in connection.execute(statement)]


def _set_aside_of(table: Table) -> Select[Any]:
    size = func.octet_length(table.c.payload).label("bytes")
    columns = (
        table.c.seq,
        table.c.set_aside_at,
        table.c.reason,
        table.c.aggregatetype,
        table.c.aggregateid,
        table.c.type,
    )
    return select(*columns, size).where(table.c.set_aside_at.is_not(None))


def _shown(schema: str, row: Row[Any]) -> SetAside:
    return SetAside(
        schema, row.seq, row.set_aside_at, row.reason, row.aggregatetype, row.aggregateid, row.type, row.bytes
    )


def replay(connection: Connection, schema: str, seqs: Sequence[int]) -> int:
    """Let the relay publish these again, as they are; returns how many there were. The caller commits.

    Only rows that are set aside now are taken, so a second call changes nothing. The row keeps its place. Its job may
    have ended when it was set aside: that end stays, and what the event brings now counts for the case's documents.
    """
    # A function of the schema, which also lets the api do this to outboxes that are not its own, and nothing else.
    function = f"{OUTBOXES[schema].schema}.publish_again"
    again = text(f"SELECT {function}(seq) FROM unnest(CAST(:seqs AS bigint[])) AS seq")  # noqa: S608 - a name of ours
    done = connection.execute(again, {"seqs": list(seqs)}).scalars().all()
    connection.execute(select(func.pg_notify(OUTBOX, schema)))
    return done.count(True)
