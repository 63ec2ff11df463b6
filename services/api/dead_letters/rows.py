"""The SQL of ``catalog.dead_letter_replays``: which letters were sent again, when, and who asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from shared.db.catalog import dead_letter_replays

KEPT: Final = timedelta(days=90)
"""Longer than any dead topic keeps a letter (shared/events/topics.py): then the letter is gone too."""

Identity = tuple[str, datetime]
"""A letter's id, and when it was given up."""


@dataclass(frozen=True)
class LetterReplay:
    """A letter was sent again."""

    at: datetime
    client_id: str


def record(connection: Connection, letter: Identity, client_id: str, key_id: str, now: datetime) -> bool:
    """Note that a letter is sent again; False when it was before, by whichever replica. The caller commits.

    Waits for a transaction that is at the same letter.
    """
    statement = insert(dead_letter_replays).values(
        letter_id=letter[0], died_at=letter[1], replayed_at=now, client_id=client_id, key_id=key_id
    )
    done = connection.execute(statement.on_conflict_do_nothing())
    connection.execute(delete(dead_letter_replays).where(dead_letter_replays.c.replayed_at < now - KEPT))
    return done.rowcount == 1


def of_letters(connection: Connection, letters: Sequence[Identity]) -> dict[Identity, LetterReplay]:
    """Those of these letters that were sent again."""
    key = tuple_(dead_letter_replays.c.letter_id, dead_letter_replays.c.died_at)
    rows = connection.execute(select(dead_letter_replays).where(key.in_(letters))) if letters else ()
    return {(row.letter_id, row.died_at): _replay(row) for row in rows}


def last_of(connection: Connection, letter_id: str) -> LetterReplay | None:
    """When a letter with this id was sent again, for one that is not there any more."""
    statement = (
        select(dead_letter_replays)
        .where(dead_letter_replays.c.letter_id == letter_id)
        .order_by(dead_letter_replays.c.died_at.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _replay(row)


def _replay(row: Row[tuple[object, ...]]) -> LetterReplay:
    return LetterReplay(row.replayed_at, row.client_id)
