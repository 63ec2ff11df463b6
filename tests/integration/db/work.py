"""How much work a statement is for the server: rows and pages, as EXPLAIN counts them. The same on any machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import psycopg2.extensions
from sqlalchemy import Engine

from tests.statements import note

_EXPLAINED: Final = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "EXECUTE")
_ROWS_SEEN: Final = (
    "Actual Rows",
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
    "Rows Removed by Index Recheck",
)


class StatementWork(NamedTuple):
    """``rows`` that its nodes saw, in all of their loops, and ``pages`` that it read from the server's memory."""

    sql: str
    rows: float
    pages: int


@contextmanager
def counted_work() -> Iterator[list[StatementWork]]:
    """Every statement of the block on any engine, also the prepared ones of a message. Each runs twice: once undone."""
    found: list[StatementWork] = []

    def count(cursor: psycopg2.extensions.cursor, statement: str, parameters: Any) -> None:
        with cursor.connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
            message = own.mogrify(statement, parameters or None).decode()
            alone = cursor.connection.autocommit
            own.execute("BEGIN" if alone else "SAVEPOINT before_explain")
            for part in message.split("; "):
                if part.lstrip().upper().startswith(_EXPLAINED):
                    own.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {part}")
                    ((answer,),) = own.fetchall()
                    plan = answer[0]["Plan"]
                    found.append(StatementWork(" ".join(part.split()), _rows(plan), plan["Shared Hit Blocks"]))
                elif not part.lstrip().upper().startswith("PREPARE"):
                    own.execute(part)
            own.execute("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT before_explain")

    end = note(Engine, count)
    try:
        yield found
    finally:
        end()


def _rows(node: Mapping[str, Any]) -> float:
    own = sum(node.get(name, 0) for name in _ROWS_SEEN) * node["Actual Loops"]
    return float(own) + sum(_rows(below) for below in node.get("Plans", ()))
