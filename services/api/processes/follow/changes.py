"""Waits for changes of cases, by process number; and tells of one."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select

from services.api.http.changes import Changes
from shared.db.channels import PROGRESS

_NOTIFY = select(func.pg_notify(PROGRESS, bindparam("number")))


class CaseChanges(Changes):
    """The changes of cases: their jobs and documents."""

    def __init__(self, url: str) -> None:
        super().__init__(url, PROGRESS)


def announce(connection: Connection, process_number: str) -> None:
    """Wake the waiters of a case in every replica when the caller's transaction commits."""
    connection.execute(_NOTIFY, {"number": str(process_number)})
