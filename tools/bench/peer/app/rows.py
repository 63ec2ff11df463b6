"""The two tables and every statement on them. The caller's ``with pool.connection()`` is the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

SCHEMA = """
CREATE TABLE IF NOT EXISTS cases (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number text NOT NULL UNIQUE,
  webhook_url text NOT NULL,
  status text NOT NULL DEFAULT 'requested',
  total integer,
  requested_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  notified_at timestamptz
);
CREATE TABLE IF NOT EXISTS documents (
  case_id uuid NOT NULL REFERENCES cases,
  position integer NOT NULL,
  source_path text NOT NULL,
  object_key text,
  content_type text,
  size bigint,
  sha256 text,
  stored_at timestamptz,
  PRIMARY KEY (case_id, position)
);
"""


@dataclass(frozen=True)
class Stored:
    """A document that is in the object store. ``size`` in bytes."""

    position: int
    object_key: str
    content_type: str
    size: int
    sha256: str
    stored_at: datetime


def ask(db: Connection, number: str, webhook_url: str) -> tuple[str, bool]:
    """The id of the case's row, and whether it was made now."""
    made = db.execute(
        "INSERT INTO cases (number, webhook_url) VALUES (%s, %s) ON CONFLICT (number) DO NOTHING RETURNING id",
        (number, webhook_url),
    ).fetchone()
    if made is not None:
        return str(made[0]), True
    found = db.execute("SELECT id FROM cases WHERE number = %s", (number,)).fetchone()
    assert found is not None
    return str(found[0]), False


def plan(db: Connection, case_id: str, paths: Sequence[str]) -> None:
    """Keep the list of documents; again when the task is repeated."""
    db.execute(
        "INSERT INTO documents (case_id, position, source_path)"
        " SELECT %s, ordinality - 1, path FROM unnest(%s::text[]) WITH ORDINALITY AS listed (path, ordinality)"
        " ON CONFLICT DO NOTHING",
        (case_id, list(paths)),
    )
    db.execute("UPDATE cases SET total = %s, status = 'downloading' WHERE id = %s", (len(paths), case_id))


def stored(db: Connection, case_id: str, documents: Sequence[Stored]) -> None:
    """Write what a task has fetched."""
    with db.cursor() as cursor:
        cursor.executemany(
            "UPDATE documents SET object_key = %s, content_type = %s, size = %s, sha256 = %s, stored_at = %s"
            " WHERE case_id = %s AND position = %s",
            [
                (one.object_key, one.content_type, one.size, one.sha256, one.stored_at, case_id, one.position)
                for one in documents
            ],
        )


def complete(db: Connection, case_id: str) -> str | None:
    """End the case; its webhook's address, or None when it has ended before."""
    row = db.execute(
        "UPDATE cases SET status = 'completed', completed_at = now() WHERE id = %s AND notified_at IS NULL"
        " RETURNING webhook_url",
        (case_id,),
    ).fetchone()
    return None if row is None else str(row[0])


def notified(db: Connection, case_id: str) -> None:
    """The webhook was accepted."""
    db.execute("UPDATE cases SET notified_at = now() WHERE id = %s", (case_id,))


def view(db: Connection, case_id: str) -> dict[str, Any]:
    """The case with its documents, as a client and a webhook see it."""
    with db.cursor(row_factory=dict_row) as cursor:
        case: dict[str, Any] | None = cursor.execute("SELECT * FROM cases WHERE id = %s", (case_id,)).fetchone()
        assert case is not None
        case["documents"] = cursor.execute(
            "SELECT position, object_key, content_type, size, sha256, stored_at FROM documents WHERE case_id = %s"
            " ORDER BY position",
            (case_id,),
        ).fetchall()
    return case


def find(db: Connection, number: str) -> str | None:
    """The id of a case's row."""
    row = db.execute("SELECT id FROM cases WHERE number = %s", (number,)).fetchone()
    return None if row is None else str(row[0])
