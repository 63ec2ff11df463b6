"""The SQL of manifests: every document of a case that is seen, with what is known of its bytes, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Text, bindparam, cast, select, true, tuple_

from shared.db.catalog import documents
from shared.db.document_states import state_of_document
from shared.db.visibility import SHOWN_DOCUMENT

PAGE: Final = 1_000
"""Rows in memory at once."""
_state: Final = state_of_document()
_START: Final = (0, "00000000-0000-0000-0000-000000000000")

_ROWS: Final = (
    select(
        cast(documents.c.document_id, Text).label("document_id"),
        *(documents.c[name] for name in ("source", "source_id", "name", "type", "type_code", "position", "sequence")),
        *(documents.c[name] for name in ("filed_at", "rendition", "secrecy_level")),
        *(_state.c[name] for name in ("status", "object_key", "sha256", "error_code", "error_message", "warnings")),
        *(_state.c[name] for name in ("fetched_at", "download_completed_at", "source_headers", "object_version")),
        _state.c.size.label("stored_size"),
        _state.c.content_type.label("stored_content_type"),
        _state.c.rendition.label("stored_rendition"),
    )
    .join(_state, true(), isouter=True)
    .where(
        documents.c.process_number == bindparam("number"),
        SHOWN_DOCUMENT,
        tuple_(documents.c.position, documents.c.document_id)
        > tuple_(bindparam("position", type_=Integer), bindparam("after", type_=documents.c.document_id.type)),
    )
    .order_by(documents.c.position, documents.c.document_id)
    .limit(PAGE)
)


def manifest_rows(connection: Connection, process_number: str, *, sealed: bool) -> Iterator[Sequence[Row[Any]]]:
    """The documents of a case in its order, at most PAGE rows at a time. ``sealed``: sealed ones too.

    Who may see the case has been decided before. All pages are of one state in a snapshot alone.
    """
    position, after = _START
    while True:
        wanted = {"number": str(process_number), "sealed": sealed, "position": position, "after": after}
        rows = connection.execute(_ROWS, wanted).all()
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        position, after = rows[-1].position, rows[-1].document_id
