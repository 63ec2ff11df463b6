"""Statements that the server plans once for each connection instead of at every execution (PREPARE and EXECUTE).

psycopg2 sends the text of a statement each time, and the server reads and plans it each time: for a short look at
several tables that is most of what it costs. The plan belongs to the connection, so whatever stands between a service
and PostgreSQL must not hand connections out by transaction. A table that is exchanged (``autos projection rebuild``)
or altered makes the server plan again by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import psycopg2
from sqlalchemy import Connection, CursorResult, Result, Select, TextualSelect, bindparam, column, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

_PLANS: Final = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_]+)")


def plan_once(connection: Any) -> None:
    """Have the server keep one plan for each prepared statement of a new connection of psycopg2, one by indexes.

    By itself it goes on planning anew where a list of ids with one in it looks cheaper than the ten that it expects,
    and takes longer for that than to run it. A plan that is kept must be right when its tables have grown, too: while
    they have a thousand rows the server would read all of them, which costs more than to look up a few even then. No
    statement of ours is worth compiling, which a plan without an index could look like to PostgreSQL before 18.

    Raises psycopg2.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PLANS)
    connection.commit()


def plan_for_whole_tables(connection: Connection) -> None:
    """Let the rest of a transaction read tables whole: a rare look for what is too old, say, that no index serves.

    By an index it would read a million rows one by one, six times as long.
    """
    connection.exec_driver_sql("SET LOCAL enable_seqscan = on")


class Prepared:
    """A statement with bind parameters and rows, prepared on a connection when it first runs there.

    ``name`` is its own in the whole process. ``first`` is SQL that runs before it in the same round trip, with the same
    parameters; as a statement of its own, so that the prepared one sees what was committed while it waited for a lock.
    """

    def __init__(self, name: str, statement: Select[Any] | TextualSelect, *, first: str = "") -> None:
        dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        compiled = statement.compile(dialect=dialect)
        parameters = {one: compiled.binds[one] for one in compiled.positiontup or ()}
        kinds = ", ".join(one.type.compile(dialect) for one in parameters.values())
        self._name = name
        self._prepare = f"PREPARE {name} ({kinds}) AS {compiled}" if kinds else f"PREPARE {name} AS {compiled}"
        values = ", ".join(f":{one}" for one in parameters)
        self._fixed = {name: one.value for name, one in parameters.items() if not one.required}
        execute = f"EXECUTE {name} ({values})" if values else f"EXECUTE {name}"
        self._execute = (
            text(f"{first}; {execute}" if first else execute)
            .bindparams(*(bindparam(name, type_=one.type) for name, one in parameters.items()))
            # Names and types alone: the columns themselves would bring the parameters of their expressions along.
            .columns(*(column(str(one.key), one.type) for one in statement.selected_columns))
        )

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
        """The rows, with the columns of the statement in their order.

        The first run on a connection prepares it there. ``parameters`` are by name; those with a value of their own may
        be left out.
        """
        _prepare(connection, self._name, self._prepare)
        return connection.execute(self._execute, {**self._fixed, **parameters})


class PreparedText:
    """A statement of ours in the form of ``text()`` (``:name`` for a parameter), prepared where it first runs.

    ``name`` is its own in the whole process; ``kinds`` are the types of its parameters in PostgreSQL. Ids travel as
    ``text[]`` and are cast in the statement: the driver sends a list as an array of texts, which no EXECUTE takes for
    ``uuid[]``. Raises ValueError when the parameters of the statement are others than ``kinds``.
    """

    def __init__(self, name: str, statement: str, **kinds: str) -> None:
        numbers = {one: f"${number}" for number, one in enumerate(kinds, start=1)}
        if (named := set(_PARAMETER.findall(statement))) != kinds.keys():
            raise ValueError(f"{name} has the parameters {sorted(named)}, and types for {sorted(kinds)}")
        body = _PARAMETER.sub(lambda found: numbers[found[1]], statement)
        self._name = name
        self._prepare = f"PREPARE {name} ({', '.join(kinds.values())}) AS {body}"
        self._kinds = tuple(kinds)
        self._execute = self.execution("")

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> Result[Any]:
        """The rows of the statement, if it has any. The first run on a connection prepares it there.

        ``parameters`` are by name. Raises psycopg2.Error.
        """
        self.prepare(connection)
        return _execute(connection, self._execute, parameters)

    def prepare(self, connection: Connection) -> None:
        """Have the statement prepared on this connection."""
        _prepare(connection, self._name, self._prepare)

    def execution(self, prefix: str) -> str:
        """Its EXECUTE as psycopg2 reads it, with ``prefix`` before the names of its parameters.

        For the driver as it is (:func:`_execute`).
        """
        return f"EXECUTE {self._name} ({', '.join(f'%({prefix}{one})s' for one in self._kinds)})"


def _prepare(connection: Connection, name: str, statement: str) -> None:
    """Run a PREPARE unless it was run on this connection before."""
    # The notes are those of the database connection: one that was dialled anew after a loss has none.
    if name not in connection.info:
        connection.exec_driver_sql(statement)
        connection.info[name] = True


class PreparedCall(NamedTuple):
    """A statement and its parameters, to be sent with others (:func:`run_together`)."""

    statement: PreparedText
    parameters: Mapping[str, Any]


def run_together(connection: Connection, *calls: PreparedCall) -> Result[Any]:
    """Send statements in one message: a round trip for all of them. The rows of the last, if it has any.

    For a transaction: each sees what the ones before it wrote, and none stays when one of them fails. Raises
    psycopg2.Error.
    """
    for call in calls:
        call.statement.prepare(connection)
    parameters = {
        f"p{place}_{name}": value for place, call in enumerate(calls) for name, value in call.parameters.items()
    }
    statements = "; ".join(call.statement.execution(f"p{place}_") for place, call in enumerate(calls))
    return _execute(connection, statements, parameters)


def _execute(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> Result[Any]:
    """Run a statement on the driver's own cursor; its rows are as SQLAlchemy's.

    What SQLAlchemy does for each execution takes longer than to send the statement and to read its rows; its
    transaction holds all the same, and so does what it knows of a connection that was lost. Its events
    (``before_cursor_execute``) do not see the statement.
    """
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        try:
            cursor.execute(statement, parameters)
            names = tuple(one.name for one in cursor.description or ())
            return IteratorResult(_columns(names), iter(cursor.fetchall() if names else ()))
        except psycopg2.Error as error:
            if driver.closed:
                connection.invalidate(error)
            raise


@lru_cache(maxsize=1024)
def _columns(names: tuple[str, ...]) -> SimpleResultMetaData:
    return SimpleResultMetaData(names)
