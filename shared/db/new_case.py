"""A case of which nothing is stored, written in one statement; :mod:`shared.db.case_store` writes it from then on.

Nothing is to be updated, dropped or numbered anew, and what is written need not be read to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from shared.db.case_lists import store_lists
from shared.db.case_rows import document_rows, process_row
from shared.db.case_store import CHUNK, store_documents
from shared.db.catalog import documents, processes
from shared.db.prepared import PreparedText
from shared.db.recordset import as_json, column_types
from shared.domain.case import Case


@dataclass(frozen=True)
class NewCase:
    """What was written of a case, by column: its row, and the rows of all its documents in their order."""

    row: Mapping[str, Any]
    documents: Sequence[dict[str, Any]]


def _statement() -> PreparedText:
    (case, case_types), (listed, listed_types) = ((table, column_types(table)) for table in (processes, documents))
    names = [", ".join(f'"{name}"' for name in types) for types in (case_types, listed_types)]
    defined = [", ".join(f'"{n}" {t}' for n, t in types.items()) for types in (case_types, listed_types)]
    sql = f"""
    WITH written AS (
        INSERT INTO {case.fullname} ({names[0]})
        SELECT {names[0]} FROM json_to_record(CAST(:process AS json)) AS r ({defined[0]})
    )
    INSERT INTO {listed.fullname} ({names[1]})
    SELECT {names[1]} FROM json_to_recordset(CAST(:documents AS json)) AS r ({defined[1]})
    """  # noqa: S608 - names of our own columns
    return PreparedText("autos_new_case", sql, process="text", documents="text")


_STORE: Final = _statement()


def store_new_case(
    connection: Connection, case: Case, *, fetched_at: datetime, source_version: str | None = None
) -> NewCase:
    """Insert a case, its lists and its documents; what was written.

    The caller holds the case (:func:`shared.db.case_store.lock_case`), has seen that it has no row, and commits.
    """
    row, rows = process_row(case, fetched_at, source_version), list(document_rows(case, fetched_at))
    # A decimal travels as text, which loses nothing.
    wanted = {"process": orjson.dumps(row, default=str).decode(), "documents": as_json(rows[:CHUNK])}
    _STORE.run(connection, wanted)
    store_documents(connection, rows[CHUNK:])
    store_lists(connection, case, is_new=True)
    return NewCase(row, rows)
