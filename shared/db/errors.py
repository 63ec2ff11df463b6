"""What an error of PostgreSQL means for the work that met it: one table of SQLSTATE classes, one function.

AWAY       the server, or what it needs, is not there: the same work is right later. It is held, never given up.
CONFLICT   another transaction was in the way: the same work is right now, once more.
PERMANENT  the statement or its values: the same work gives the same answer for ever. It is given up, with its reason.

Source: PostgreSQL, appendix A, "Error Codes"; the classes are the first two characters. What a database that is not
(or not yet) as this release needs it answers, a table or a grant that is missing, counts as AWAY: it meets every record
alike and an operator mends it, so no record is to be blamed.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import psycopg2
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import InfrastructureAway, PoisonRecord


class ErrorKind(Enum):
    """What to do with the work that met an error."""

    AWAY = "away"
    CONFLICT = "conflict"
    PERMANENT = "permanent"


_BY_CODE: Final = {
    # The transaction lost against another one.
    "40001": ErrorKind.CONFLICT,  # serialization_failure
    "40P01": ErrorKind.CONFLICT,  # deadlock_detected
    "40003": ErrorKind.CONFLICT,  # statement_completion_unknown
    "55P03": ErrorKind.CONFLICT,  # lock_not_available: lock_timeout, NOWAIT
    "55006": ErrorKind.CONFLICT,  # object_in_use
    # A statement that was cancelled: statement_timeout under load, or an operator. The values are not at fault.
    "57014": ErrorKind.AWAY,  # query_canceled
    "25006": ErrorKind.AWAY,  # read_only_sql_transaction: a replica, in the middle of a failover
    "25P03": ErrorKind.AWAY,  # idle_in_transaction_session_timeout
    "25P04": ErrorKind.AWAY,  # transaction_timeout
    # temp_file_limit: the statement needs more than an operator allows to any.
    "53400": ErrorKind.PERMANENT,  # configuration_limit_exceeded
    # The database is not as this release needs it: not migrated yet, a grant or a schema missing.
    "42P01": ErrorKind.AWAY,  # undefined_table
    "42703": ErrorKind.AWAY,  # undefined_column
    "42883": ErrorKind.AWAY,  # undefined_function
    "42501": ErrorKind.AWAY,  # insufficient_privilege
    "3F000": ErrorKind.AWAY,  # invalid_schema_name
    "3D000": ErrorKind.AWAY,  # invalid_catalog_name
}

_BY_CLASS: Final = {
    "08": ErrorKind.AWAY,  # connection exception
    "28": ErrorKind.AWAY,  # invalid authorization: an operator mends it
    "40": ErrorKind.CONFLICT,  # transaction rollback
    "53": ErrorKind.AWAY,  # insufficient resources: disk full, out of memory, too many connections
    "57": ErrorKind.AWAY,  # operator intervention: shutdown, crash, cannot connect now
    "58": ErrorKind.AWAY,  # system error, external to PostgreSQL: input and output
}
"""Every class that is not here is PERMANENT: 0A, 21, 22, 23, 42, 44, 54, P0, XX and what a later server may add."""

UNSTORABLE: Final = "unstorable"
"""The reason of what the database cannot hold, wherever it is told."""

_UNTRANSLATABLE: Final = "22021"
"""character_not_in_repertoire: what the server would say of a NUL, had the driver sent it."""


class DatabaseAway(InfrastructureAway):
    """The database is away. ``sqlstate`` is None when no server answered."""

    def __init__(self, sqlstate: str | None = None, retry_in: float | None = None) -> None:
        super().__init__("database", retry_in)
        self.sqlstate = sqlstate


class DatabaseConflict(DatabaseAway):
    """The transaction lost against another one, each time it was tried: to be tried again soon."""


class DatabaseRefused(PoisonRecord):
    """The database will never take this: what was to be stored or asked is given up, with its reason.

    As a PoisonRecord it ends a record in the consumer runtime without another try. ``sqlstate`` is the server's word;
    its message is not repeated, since it may quote what is nobody's business.
    """

    def __init__(self, sqlstate: str) -> None:
        super().__init__(UNSTORABLE, f"SQLSTATE {sqlstate}")
        self.sqlstate = sqlstate


def of_sqlstate(code: str) -> ErrorKind:
    """The kind of an SQLSTATE of five characters."""
    return _BY_CODE.get(code) or _BY_CLASS.get(code[:2], ErrorKind.PERMANENT)


def sqlstate_of(error: BaseException) -> str | None:
    """The server's SQLSTATE; None when the error is the driver's own."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if _cannot_be_sent(cause):
        return _UNTRANSLATABLE
    code = getattr(cause, "pgcode", None)
    return code if isinstance(code, str) else None


def _cannot_be_sent(error: BaseException | None) -> bool:
    """Whether the driver refuses a text before the server sees it: a lone surrogate, or a NUL (its own words)."""
    return isinstance(error, UnicodeEncodeError) or (
        isinstance(error, ValueError) and str(error).startswith("A string literal cannot contain NUL")
    )


def kind_of(error: BaseException) -> ErrorKind | None:
    """What an error means; None when it is none of the database's (then it is about whoever raised it).

    An error without SQLSTATE is the driver's: a connection that was lost or could not be made is AWAY, a value that
    it cannot write is PERMANENT.
    """
    if isinstance(error, PoolTimeout | DisconnectionError):
        return ErrorKind.AWAY
    if not isinstance(error, DBAPIError | psycopg2.Error) and not _cannot_be_sent(error):
        return None
    code = sqlstate_of(error)
    if code is not None:
        return of_sqlstate(code)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return ErrorKind.AWAY
    cause = error.orig if isinstance(error, DBAPIError) else error
    lost = isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError)
    # psycopg2 raises the bare class when a connection breaks in the middle of a result.
    return ErrorKind.AWAY if lost or type(cause) is psycopg2.DatabaseError else ErrorKind.PERMANENT


def as_ours(error: BaseException) -> Exception | None:
    """The error as ours: DatabaseAway, DatabaseConflict or DatabaseRefused; None when it is none of the database's."""
    kind, code = kind_of(error), sqlstate_of(error)
    if kind is ErrorKind.AWAY:
        return DatabaseAway(code)
    if kind is ErrorKind.CONFLICT:
        return DatabaseConflict(code)
    if kind is ErrorKind.PERMANENT:
        return DatabaseRefused(code or "none")
    return None
