"""What the source says of a case, in ``catalog.processes`` and ``catalog.documents``: stored and read in one place.

Used by api, and by the planner when the discovery was put off (the one exception to "one writer a table").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Row, TextClause, bindparam, func, select, text, true, update
from sqlalchemy.dialects.postgresql import Insert, insert

from shared.db.case_lists import store_lists
from shared.db.case_rows import document_rows, process_row
from shared.db.catalog import documents, processes
from shared.db.document_states import state_of_document
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json, column_types
from shared.domain.case import Case

CHUNK: Final = 1000
"""Documents in one statement."""
_LOCK_SPACE: Final = 0x6361  # "ca": advisory locks on a case

_LOCK_FREE: Final = text(
    f"""
    SELECT wanted.number FROM unnest(CAST(:numbers AS text[])) AS wanted (number)
    WHERE pg_try_advisory_xact_lock({_LOCK_SPACE}, hashtext(wanted.number))
    """  # noqa: S608 - our own number
)
# Statements of every request are made once: making one takes longer than it takes to run.
LOCK: Final = f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, hashtext(:number))"
"""What :func:`lock_case` runs, for a statement that runs behind it in the same round trip."""
_LOCK: Final = PreparedText("autos_lock_case", LOCK, number="text")
_FIND: Final = select(processes).where(processes.c.process_number == bindparam("number"))


_DELETE_SHADOWS: Final = text(
    """
    DELETE FROM catalog.documents
    WHERE process_number = :number AND source_path IS NULL AND document_id = ANY(CAST(:ids AS uuid[]))
    """
)
# Joined by the place of the row: by the case and the id, a server whose statistics do not know how large this case is
# may compare every document with every other.
_NUMBER_DOCUMENTS: Final = text(
    """
    UPDATE catalog.documents AS d SET position = ordered.place FROM (
        SELECT ctid AS row,
               row_number() OVER (ORDER BY filed_at NULLS LAST, sequence NULLS LAST, position, document_id) AS place
        FROM catalog.documents WHERE process_number = :number
    ) AS ordered
    WHERE d.ctid = ordered.row AND d.position <> ordered.place
    """
)
_TELLS_OF_CONTENT: Final = ("size", "filed_at", "source_hash")
"""What changes with a document's bytes. Where it is not said, nothing is known to have changed."""


def lock_case(connection: Connection, process_number: str) -> None:
    """Hold the case until the transaction ends: one request at a time decides about its jobs.

    Take it first in a transaction, before any row of the case, so that two cannot lock each other out.
    """
    run_together(connection, locked_case(process_number))


def locked_case(process_number: str) -> PreparedCall:
    """The statement of :func:`lock_case`, to be sent before others: these see what was committed while it waited."""
    return PreparedCall(_LOCK, {"number": str(process_number)})


def lock_free_cases(connection: Connection, process_numbers: Collection[str]) -> frozenset[str]:
    """Hold those of these cases that nobody else holds, until the transaction ends; which they are. Waits for none."""
    return frozenset(connection.execute(_LOCK_FREE, {"numbers": sorted(process_numbers)}).scalars())


def store_case(connection: Connection, case: Case, *, fetched_at: datetime, source_version: str | None = None) -> None:
    """Insert or update a case, its lists and its documents. A document that the source no longer lists stays.

    The caller holds the case (:func:`lock_case`) and commits. A second time with the same case changes nothing but
    ``fetched_at``. ``source_version`` is what :func:`sources.changes.read_changed` gave with the case.
    """
    connection.execute(_upsert_process(), process_row(case, fetched_at, source_version))
    store_lists(connection, case)
    store_documents(connection, document_rows(case, fetched_at))
    _put_in_place(connection, case)


def store_documents(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert or update documents of a case that is stored, a thousand in a statement."""
    remaining = iter(rows)
    upsert = _upsert_documents()
    while chunk := list(islice(remaining, CHUNK)):
        connection.execute(upsert, {"rows": as_json(chunk)})


def _put_in_place(connection: Connection, case: Case) -> None:
    """One number for each document of the case, also for those that the source lists no more.

    A document that has an address now is no longer the one without.
    """
    shadows = [document.shadow_id for document in case.documents if document.source_path and document.shadow_id]
    listed = {document.document_id for document in case.documents}
    gone = [shadow for shadow in shadows if shadow not in listed]
    if gone:
        connection.execute(_DELETE_SHADOWS, {"number": case.process_number, "ids": gone})
    number_documents(connection, case.process_number)


def number_documents(connection: Connection, process_number: str) -> None:
    """Give the documents of a case their positions, from 1: by filing date, then sequence. The caller commits."""
    connection.execute(_NUMBER_DOCUMENTS, {"number": str(process_number)})


@cache
def _upsert_process() -> Insert:
    statement = insert(processes).values({column.name: bindparam(column.name) for column in processes.columns})
    kept = {"process_number"}
    updated = {column.name: statement.excluded[column.name] for column in processes.columns if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=["process_number"], set_=updated)


@cache
def _upsert_documents() -> TextClause:
    """One statement for a chunk of documents, which travel as JSON: an ``executemany`` goes row by row."""
    types = column_types(documents)
    names = ", ".join(types)
    kept = {"process_number", "document_id", "registered_at", "revision", *_TELLS_OF_CONTENT}
    written = [name for name in types if name not in kept]
    old, new = (", ".join(f"{table}.{name}" for name in written) for table in ("documents", "excluded"))
    changed = " OR ".join(f"excluded.{name} <> documents.{name}" for name in (*_TELLS_OF_CONTENT, "rendition"))
    first_known = " OR ".join(f"documents.{name} IS NULL AND excluded.{name} IS NOT NULL" for name in _TELLS_OF_CONTENT)
    known = ", ".join(f"{name} = coalesce(excluded.{name}, documents.{name})" for name in _TELLS_OF_CONTENT)
    return text(
        f"INSERT INTO catalog.documents ({names}) SELECT {names}"  # noqa: S608 - names of our own columns
        f" FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({', '.join(f'{n} {t}' for n, t in types.items())})"
        " ON CONFLICT (process_number, document_id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in written)
        + f", {known}, revision = documents.revision + CASE WHEN {changed} THEN 1 ELSE 0 END"
        # Most documents of a case that is read again are as they were: rewriting them would be most of the work.
        + f" WHERE ({old}) IS DISTINCT FROM ({new}) OR {changed} OR {first_known}"
    )


def find_version(connection: Connection, process_number: str) -> str | None:
    """The source's version of what is stored of a case; None when there is none or nothing is stored."""
    return connection.execute(
        select(processes.c.source_version).where(processes.c.process_number == process_number)
    ).scalar_one_or_none()


def confirm_case(connection: Connection, process_number: str, version: str, *, fetched_at: datetime) -> None:
    """Note that the source still had this version at ``fetched_at``.

    A case that another reading stored meanwhile stays as it is: that reading is about as new, its version is another.
    """
    connection.execute(
        update(processes)
        .where(
            processes.c.process_number == process_number,
            processes.c.source_version == version,
            processes.c.fetched_at < fetched_at,
        )
        .values(fetched_at=fetched_at)
    )


def find_process(connection: Connection, process_number: str) -> Row[Any] | None:
    """The stored case, or None when the source was never read."""
    return connection.execute(_FIND, {"number": str(process_number)}).one_or_none()


def find_processes(connection: Connection, process_numbers: Sequence[str]) -> dict[str, Row[Any]]:
    """The stored ones of these cases, by number."""
    wanted = select(processes).where(processes.c.process_number.in_(list(process_numbers)))
    return {row.process_number: row for row in connection.execute(wanted)}


def iterate_documents(
    connection: Connection, process_number: str, *, document_ids: Sequence[str] | None = None
) -> Iterator[Row[Any]]:
    """The documents of a case in the order of their positions, each with its ``state`` in the projection (or None) and
    the case's level of secrecy, sealed ones too.

    ``document_ids`` keeps only these. Rows come in chunks from a server-side cursor: the memory is flat, and the
    transaction must stay open until the last one.
    """
    state = state_of_document()
    statement = (
        select(
            documents,
            state.c.status.label("state"),
            state.c.error_code.label("state_error_code"),
            func.coalesce(state.c.revision, 1).label("state_revision"),
            state.c.size.label("state_size"),
            state.c.object_key.label("state_object_key"),
            processes.c.secrecy_level.label("case_level"),
        )
        .join(processes, processes.c.process_number == documents.c.process_number)
        .join(state, true(), isouter=True)
        .where(documents.c.process_number == process_number)
        .order_by(documents.c.position, documents.c.document_id)
    )
    if document_ids is not None:
        statement = statement.where(documents.c.document_id.in_(list(document_ids)))
    yield from connection.execute(statement.execution_options(yield_per=CHUNK))
