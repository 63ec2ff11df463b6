"""The statements that an engine's connections run, as the driver sends them: prepared ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2.extensions
from sqlalchemy import Engine, event

Heard = Callable[["psycopg2.extensions.cursor", str, Any], object]
Done = Callable[["psycopg2.extensions.cursor"], object]


def note(engine: Engine | type[Engine], heard: Heard, done: Done = lambda _cursor: None) -> Callable[[], None]:
    """Call ``heard`` before each statement of the connections that this engine, or any, hands out from now on: with
    the cursor, the statement and its parameters; and ``done`` after it. What is returned ends it.
    """

    class NotingCursor(psycopg2.extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            heard(self, query, vars)
            super().execute(query, vars)
            done(self)

    def hand_out(connection: Any, _record: object, _proxy: object) -> None:
        connection.cursor_factory = NotingCursor

    def take_back(connection: Any, _record: object) -> None:
        # None: the connection was lost.
        if connection is not None:
            connection.cursor_factory = None

    event.listen(engine, "checkout", hand_out)
    event.listen(engine, "checkin", take_back)
    return lambda: event.remove(engine, "checkout", hand_out)


def noted_rows(engine: Engine) -> list[int]:
    """How many rows each statement that follows gave or changed, for as long as the engine lives."""
    rows: list[int] = []
    note(engine, lambda *_: None, lambda cursor: rows.append(cursor.rowcount))
    return rows


def noted(engine: Engine) -> list[str]:
    """The statements that follow, as they come, for as long as the engine lives."""
    statements: list[str] = []
    note(engine, lambda _cursor, statement, _parameters: statements.append(statement))
    return statements
