"""The SQL of a case's documents as clients see them: ``catalog.documents`` and ``progress.documents``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    Row,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)

from shared.db import progress
from shared.db.catalog import documents
from shared.db.document_states import state_of_document
from shared.db.new_case import NewCase
from shared.db.prepared import Prepared
from shared.db.visibility import SHOWN_DOCUMENT
from shared.domain.secrecy import Sight, Viewer, is_public_document
from shared.domain.statuses import DocumentStatus

# Ids as text: of a case of a thousand documents a fifth of the time went into making UUIDs and taking them apart.
LISTED: Final = (
    cast(documents.c.document_id, Text).label("document_id"),
    *(column for column in documents.c if column.name not in {"document_id", "process_number", "source_path"}),
)
_NOT_SHOWN: Final = frozenset(
    {"document_id", "process_number", "job_id", "fetched_at", "source_headers", "object_version"}
)
"""The manifest alone shows the last three (services/api/manifest)."""
_STATE: Final = (
    cast(progress.documents.c.document_id, Text).label("document_id"),
    *(column for column in progress.documents.c if column.name not in _NOT_SHOWN),
)


# Statements are made once: making one takes longer than most of them take to run.
_LISTING: Final = (
    select(*LISTED)
    .where(documents.c.process_number == bindparam("number"), SHOWN_DOCUMENT)
    .order_by(documents.c.position, documents.c.document_id)
)
_ALL_LISTED: Final = Prepared("autos_documents", _LISTING)
_FIRST_LISTED: Final = Prepared("autos_first_documents", _LISTING.limit(bindparam("most", type_=Integer)))
_COUNT_LISTED: Final = Prepared(
    "autos_count_documents",
    select(func.count())
    .select_from(documents)
    .where(documents.c.process_number == bindparam("number"), SHOWN_DOCUMENT),
)
_ONE_LISTED: Final = Prepared("autos_document", _LISTING.where(documents.c.document_id == bindparam("document_id")))
_STATES: Final = select(*_STATE).where(progress.documents.c.process_number == bindparam("number"))
_ALL_STATES: Final = Prepared("autos_states", _STATES)
_FIRST_STATES: Final = Prepared(
    "autos_first_states",
    _STATES.where(progress.documents.c.document_id == any_(cast(bindparam("ids", type_=Text), ARRAY(Uuid)))),
)
_state: Final = state_of_document()
_AVAILABLE: Final = and_(
    _state.c.status == literal_column(f"'{DocumentStatus.AVAILABLE}'", Text), _state.c.object_key.is_not(None)
)
_FIRST_AVAILABLE: Final = Prepared(
    "autos_first_available",
    _LISTING.join(_state, _AVAILABLE).limit(bindparam("most", type_=Integer)),
)
_COUNT_AVAILABLE: Final = Prepared(
    "autos_count_available",
    select(func.count())
    .select_from(documents.join(_state, _AVAILABLE))
    .where(documents.c.process_number == bindparam("number"), SHOWN_DOCUMENT),
)
_ONE_STATE: Final = Prepared("autos_state", _STATES.where(progress.documents.c.document_id == bindparam("document_id")))
_SINCE: Final = (
    _STATES.where(
        progress.documents.c.updated_at >= bindparam("since"), progress.documents.c.document_id > bindparam("after")
    )
    .order_by(progress.documents.c.document_id)
    .limit(bindparam("most"))
)
_ONE_SINCE: Final = _SINCE.where(progress.documents.c.document_id == bindparam("document_id"))
_SOME_LISTED: Final = _LISTING.where(documents.c.document_id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class KnownDocument:
    """A document as the source lists it, and what the projection says of it (None: nothing yet).

    The projection is behind the events by a moment: ``available`` is what it has heard, not a look into the object
    store.
    """

    listed: Row[Any] | SimpleNamespace
    state: Row[Any] | None

    @property
    def available(self) -> bool:
        """Whether its bytes are in the object store, as far as the projection says."""
        return (
            self.state is not None
            and self.state.status == DocumentStatus.AVAILABLE
            and self.state.object_key is not None
        )

    @property
    def object_key(self) -> str | None:
        """The key of an available document's object in the store; None otherwise."""
        return self.state.object_key if self.state is not None and self.available else None

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of an available document, in hexadecimal; None otherwise."""
        return self.state.sha256 if self.state is not None and self.available else None


def documents_of(
    connection: Connection,
    process_number: str,
    sight: Sight,
    *,
    document_id: str | None = None,
    available_only: bool = False,
) -> list[KnownDocument]:
    """The documents of a case that are seen, in the source's order; all, or the one, or the available ones.

    All of them means up to AUTOS_CASE_MAX_DOCUMENTS rows in memory; :func:`first_documents_of` reads a bounded number.
    """
    wanted: dict[str, str] = {"number": str(process_number)}
    listed, states = _ALL_LISTED, _ALL_STATES
    if document_id is not None:
        listed, states = _ONE_LISTED, _ONE_STATE
        wanted["document_id"] = document_id
    by_id = {row.document_id: row for row in states.run(connection, wanted).all()}
    rows = listed.run(connection, {**wanted, "sealed": sight.sealed}).all()
    found = [KnownDocument(row, by_id.get(row.document_id)) for row in rows]
    return [document for document in found if document.available] if available_only else found


def find_available(
    connection: Connection, viewer: Viewer, process_number: str, document_id: str
) -> KnownDocument | None:
    """The document of a case that the viewer asks for with this request, when it is available.

    Whether the viewer may see the case is not looked at here.
    """
    sight = Sight(viewer.sealed)
    found = documents_of(connection, process_number, sight, document_id=document_id, available_only=True)
    return next(iter(found), None)


def states_since(
    connection: Connection,
    process_number: str,
    since: datetime,
    after: str,
    most: int,
    *,
    document_id: str | None = None,
) -> list[Row[Any]]:
    """What the projection says of documents that changed from ``since`` on: at most ``most``, by id, behind ``after``.

    ``document_id``: of this one alone. Who may see them is not looked at here.
    """
    wanted: dict[str, Any] = {"number": str(process_number), "since": since, "after": after, "most": most}
    if document_id is not None:
        wanted["document_id"] = document_id
    return list(connection.execute(_SINCE if document_id is None else _ONE_SINCE, wanted))


def listed_documents(
    connection: Connection, process_number: str, sight: Sight, document_ids: Sequence[str]
) -> list[Row[Any]]:
    """Those of these documents that are seen, as the source lists them, in its order."""
    if not document_ids:
        return []
    wanted = {"number": str(process_number), "ids": list(document_ids), "sealed": sight.sealed}
    return list(connection.execute(_SOME_LISTED, wanted))


def first_documents_of(
    connection: Connection, process_number: str, sight: Sight, most: int
) -> tuple[list[KnownDocument], int]:
    """The first documents of a case that are seen, at most ``most`` in the source's order, and how many there are."""
    wanted = {"number": str(process_number), "sealed": sight.sealed}
    listed = _FIRST_LISTED.run(connection, {**wanted, "most": most + 1}).all()
    if len(listed) <= most:
        states, total = _ALL_STATES.run(connection, {"number": str(process_number)}), len(listed)
    else:
        total = _COUNT_LISTED.run(connection, wanted).scalar_one()
        return with_states(connection, process_number, listed[:most]), total
    by_id = {row.document_id: row for row in states.all()}
    return [KnownDocument(row, by_id.get(row.document_id)) for row in listed], total


def first_documents_in(new: NewCase, sight: Sight, most: int) -> tuple[list[KnownDocument], int]:
    """As :func:`first_documents_of`, for a case that was just written and that nothing has been projected of."""
    rows = [row for row in new.documents if sight.sealed or is_public_document(row["secrecy_level"])]
    return [KnownDocument(SimpleNamespace(**row), None) for row in rows[:most]], len(rows)


def with_states(connection: Connection, process_number: str, listed: Sequence[Row[Any]]) -> list[KnownDocument]:
    """These documents of a case, and what the projection says of them and of no others."""
    wanted = {"number": str(process_number), "ids": f"{{{','.join(row.document_id for row in listed)}}}"}
    by_id = {row.document_id: row for row in _FIRST_STATES.run(connection, wanted).all()}
    return [KnownDocument(row, by_id.get(row.document_id)) for row in listed]


def available_of(
    connection: Connection, process_number: str, sight: Sight, most: int
) -> tuple[list[KnownDocument], int]:
    """The first available documents of a case that are seen, at most ``most``, and how many of them there are."""
    wanted = {"number": str(process_number), "sealed": sight.sealed}
    listed = _FIRST_AVAILABLE.run(connection, {**wanted, "most": most + 1}).all()
    total = len(listed)
    if total > most:
        total = _COUNT_AVAILABLE.run(connection, wanted).scalar_one()
    return with_states(connection, process_number, listed[:most]), total


def count_documents(connection: Connection, process_number: str, sight: Sight) -> int:
    """How many documents of a case are seen."""
    wanted = {"number": str(process_number), "sealed": sight.sealed}
    counted: int = _COUNT_LISTED.run(connection, wanted).scalar_one()
    return counted
