"""The outboxes as an operator sees them: how they stand, what is set aside, and the way back.

For the commands (``autos doctor``, ``autos dead``), the readiness probe and the notifier's alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, func, literal, select, union_all, update

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
    statement = (
        select(
            table.c.seq,
            table.c.set_aside_at,
            table.c.reason,
            table.c.aggregatetype,
            table.c.aggregateid,
            table.c.type,
            func.octet_length(table.c.payload).label("bytes"),
        )
        .where(table.c.set_aside_at.is_not(None))
        .order_by(table.c.set_aside_at, table.c.seq)
    )
    if seq is not None:
        statement = statement.where(table.c.seq == seq)
    return [
        SetAside(schema, row.seq, row.set_aside_at, row.reason, row.aggregatetype, row.aggregateid, row.type, row.bytes)
        for row in connection.execute(statement)
    ]


def replay(connection: Connection, schema: str, seqs: Sequence[int]) -> int:
    """Let the relay publish these again, as they are; returns how many there were. The caller commits.

    Only rows that are set aside now are taken, so a second call changes nothing. The row keeps its place. Its job may
    have ended when it was set aside: that end stays, and what the event brings now counts for the case's documents.
    """
    table = OUTBOXES[schema]
    done = connection.execute(
        update(table)
        .where(table.c.seq.in_(seqs), table.c.set_aside_at.is_not(None), table.c.published_at.is_(None))
        # Its age counts from now: it did not wait for the relay.
        .values(set_aside_at=None, reason=None, created_at=func.now())
    )
    connection.execute(select(func.pg_notify(OUTBOX, schema)))
    return done.rowcount
