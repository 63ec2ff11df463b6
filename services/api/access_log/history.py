"""Shows operators who read what, by case and by client, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, Row, Select, literal, select

from services.api.http import cursors
from services.api.http.provided import provided
from shared.clock import rfc3339
from shared.db.audit import access_log
from shared.db.engine import Database

_KIND: Final = "access"
_SLACK: Final = timedelta(minutes=1)
_AT_ONCE: Final = 10_000
"""Ids are given in the order of time, but for rows that are written at the same moment."""
_LAST_ENTRY: Final = 2**63 - 1
"""A log of many years has more rows than an integer of four bytes counts."""


@dataclass(frozen=True)
class AccessFilter:
    """Which rows are wanted; None: whatever it is."""

    process_number: str | None
    client_id: str | None
    since: datetime | None
    cursor: str | None
    limit: int


class AccessHistory:
    """Reads the access log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: AccessFilter) -> dict[str, Any]:
        """The AccessPage. Raises InvalidCursor."""
        before = cursors.decode_place(wanted.cursor, _KIND, most=_LAST_ENTRY)[0] if wanted.cursor is not None else None

        def read(connection: Connection) -> list[Row[Any]]:
            return list(connection.execute(_statement(wanted, before)))

        rows = await self._database.autocommit(read)
        listed = rows[: wanted.limit]
        more = len(rows) > wanted.limit
        return {
            "entries": [_view(row) for row in listed],
            "next_cursor": cursors.encode_place(_KIND, listed[-1].entry_id) if more else None,
        }


AccessReads = Annotated[AccessHistory, Depends(provided(AccessHistory))]


def _statement(wanted: AccessFilter, before: int | None) -> Select[Any]:
    """One row more than a page has, so that it shows whether there is a next one.

    Each filter has an index that ends with the id (case, client), so a page costs the same in a log of any length.
    """
    table = access_log.c
    statement = select(access_log).order_by(table.entry_id.desc()).limit(wanted.limit + 1)
    for column, value in ((table.process_number, wanted.process_number), (table.client_id, wanted.client_id)):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        # By the index of the time to the first of them: the ids would be walked down to the log's beginning otherwise.
        # The database takes the slack off: its calendar begins long before that of Python.
        earliest = literal(wanted.since) - _SLACK
        first = select(table.entry_id).where(table.at >= earliest).order_by(table.at).limit(1)
        statement = statement.where(table.at >= wanted.since, table.entry_id >= first.scalar_subquery() - _AT_ONCE)
    return statement if before is None else statement.where(table.entry_id < before)


def _view(row: Row[Any]) -> dict[str, Any]:
    """The AccessEntry. Numbers and ids alone: the log has no name of a document or a person."""
    return {
        "at": rfc3339(row.at),
        "client_id": row.client_id,
        "key_id": row.key_id,
        "process_number": row.process_number,
        "document_id": row.document_id,
        "route": row.route,
        "status": row.status,
        "documents": row.documents,
        "links": row.links,
        "sealed": row.sealed,
        "address": row.address,
        "request_id": row.request_id,
        "trace_id": row.trace_id,
    }
