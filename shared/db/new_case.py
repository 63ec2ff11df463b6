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
from shared.db.prepared import PreparedCall, PreparedText
from shared.db.recordset import as_json, column_types
from shared.domain.case import Case


@dataclass(frozen=True)
class NewCase:
    """A case as it is written, by column: its row, and the rows of all its documents in their order."""

    case: Case
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


def new_case(case: Case, *, fetched_at: datetime, source_version: str | None = None) -> NewCase:
    """The rows of a case that has none yet. Pure."""
    return NewCase(case, process_row(case, fetched_at, source_version), list(document_rows(case, fetched_at)))


def new_rows(new: NewCase) -> PreparedCall:
    """The statement that inserts a case with its first thousand documents, to be sent with others.

    The caller holds the case (:func:`shared.db.case_store.lock_case`), has seen that it has no row, runs
    :func:`store_rest` after it, and commits.
    """
    # A decimal travels as text, which loses nothing.
    process = orjson.dumps(new.row, default=str).decode()
    return PreparedCall(_STORE, {"process": process, "documents": as_json(new.documents[:CHUNK])})


def store_rest(connection: Connection, new: NewCase) -> None:
    """Insert what :func:`new_rows` leaves of a case: the documents of a large one, and long lists."""
    store_documents(connection, new.documents[CHUNK:])
    store_lists(connection, new.case, is_new=True)
