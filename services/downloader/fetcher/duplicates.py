"""The same bytes filed twice in a case are stored once: finds the object that has them already."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, text

from services.downloader.fetcher.document_store import DocumentStore
from shared.db.document_states import listed_text, state_text
from shared.db.engine import Database
from shared.db.visibility import public_text
from shared.events.document_requested import DocumentRequested

_CASES: Final = 1_000
_OF_A_CASE: Final = 5_000
"""What is remembered: cases, and documents of one. Beyond it the same bytes may be stored twice, which harms nobody."""

_FIND = text(
    f"""
    SELECT found.process_number, found.sha256, found.object_key
    FROM unnest(CAST(:numbers AS text[])) AS wanted (number) CROSS JOIN LATERAL (
        SELECT array_agg(document_id) AS ids FROM progress.documents
        WHERE process_number = wanted.number AND status = 'available' AND sha256 IS NOT NULL AND object_key IS NOT NULL
    ) AS stored CROSS JOIN LATERAL (
        SELECT known.process_number, known.sha256, known.object_key, document.position
        FROM {listed_text("wanted.number", "stored.ids", "document", public_text("listed"))}
        CROSS JOIN {state_text("document", "known")}
        ORDER BY document.position LIMIT :limit
    ) AS found
    ORDER BY found.process_number, found.position
    """  # noqa: S608 - our own condition
)


def find_stored(connection: Connection, numbers: Collection[str]) -> dict[str, dict[str, str]]:
    """By case and by SHA-256 the keys of the objects of these cases; a case without any is empty. One statement."""
    found: dict[str, dict[str, str]] = {number: {} for number in numbers}
    if found:
        for row in connection.execute(_FIND, {"numbers": list(found), "limit": _OF_A_CASE}):
            found[row.process_number].setdefault(row.sha256, row.object_key)
    return found


class Duplicates:
    """Knows, by case, which object has which bytes: the projection is asked once a case, then this worker remembers.

    Who asks for a batch of cases anyway asks for those that are :meth:`unknown` with it, and tells by :meth:`learn`.
    """

    def __init__(self, database: Database, document_store: DocumentStore) -> None:
        self._database = database
        self._document_store = document_store
        self._cases: OrderedDict[str, asyncio.Future[dict[str, str]]] = OrderedDict()

    def unknown(self, numbers: Collection[str]) -> list[str]:
        """Those of these cases that nobody has asked for, or not for a long time."""
        return [number for number in numbers if number not in self._cases]

    def learn(self, stored: Mapping[str, dict[str, str]]) -> None:
        """What :func:`find_stored` found of cases that were unknown."""
        for number, found in stored.items():
            if number not in self._cases:
                known: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
                known.set_result(found)
                self._keep(number, known)

    async def find(self, request: DocumentRequested, sha256: str, size: int) -> str | None:
        """The key of an object of the same case with these bytes, if there is one. Raises InfrastructureAway."""
        key = (await self._of_case(request.process_number)).get(sha256)
        # An object can be lost; then this document brings it back.
        return key if key is not None and await self._document_store.has(key, size) else None

    async def note(self, request: DocumentRequested, sha256: str, key: str) -> None:
        """An object of the case has these bytes now.

        That of a sealed document (its name stays in the catalog) serves no other: links to it tell the document's id.
        """
        if request.name == request.document_id:
            return
        known = await self._of_case(request.process_number)
        if len(known) < _OF_A_CASE:
            known.setdefault(sha256, key)

    async def _of_case(self, number: str) -> dict[str, str]:
        found = self._cases.get(number)
        if found is None:
            found = asyncio.ensure_future(self._read(number))
            self._keep(number, found)
        if found.done() and not found.cancelled() and found.exception() is None:
            return found.result()
        try:
            return await asyncio.shield(found)
        except Exception:
            # Asked again next time; whoever waited for the same question hears the same.
            if self._cases.get(number) is found:
                del self._cases[number]
            raise

    async def _read(self, number: str) -> dict[str, str]:
        return (await self._database.autocommit(lambda connection: find_stored(connection, [number])))[number]

    def _keep(self, number: str, known: asyncio.Future[dict[str, str]]) -> None:
        self._cases[number] = known
        if len(self._cases) > _CASES:
            self._cases.popitem(last=False)
