"""How documents are joined with what the projection knows of them, and found by their ids, in any number.

A plain join leaves the server a choice, which it makes by its statistics. While these are young (a new installation, a
restored backup) they say that a case has one document: the server may then compare every document of a large case with
every other, which takes minutes for ten thousand (docs/adr/0056-large-cases-in-young-databases.md). What is written
here can be done in one way only:

- A state is looked up for each document by itself: LATERAL with a LIMIT. ``progress.documents`` has no index but its
  key.
- Documents are found by all of their ids at once: ``document_id = ANY (…)``. One by one the server may go through the
  index of positions, which begins with the case as the key does, and read the whole case for each of them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.sql.selectable import LateralFromClause

from shared.db import progress
from shared.db.catalog import documents

_state: Final = progress.documents


def state_of_document() -> LateralFromClause:
    """What is known of a row of ``catalog.documents`` in the same FROM: all columns of ``progress.documents``.

    To be joined ON true, as an outer join for documents of which nothing is known.
    """
    return (
        select(_state)
        .where(_state.c.process_number == documents.c.process_number, _state.c.document_id == documents.c.document_id)
        .limit(1)
        .lateral("known")
    )


def state_text(listed: str, alias: str, *, number: str | None = None) -> str:
    """The same as SQL: ``LATERAL (…) AS alias``, the state of the document ``listed``.document_id.

    Its case is ``number``, an expression; ``listed``.process_number where it is not given.
    """
    return (
        f"LATERAL (SELECT * FROM progress.documents AS state WHERE state.process_number = "  # noqa: S608 - our own names
        f"{number or f'{listed}.process_number'} AND state.document_id = {listed}.document_id LIMIT 1) AS {alias}"
    )


def listed_text(number: str, ids: str, alias: str, condition: str = "true") -> str:
    """As SQL ``LATERAL (…) AS alias``: the rows of ``catalog.documents`` of the case ``number`` with ``ids``, an array.

    ``condition`` is about the row ``listed``. OFFSET 0 keeps the server from taking it apart.
    """
    return (
        f"LATERAL (SELECT * FROM catalog.documents AS listed WHERE listed.process_number = {number}"  # noqa: S608
        f" AND listed.document_id = ANY ({ids}) AND {condition} OFFSET 0) AS {alias}"
    )
