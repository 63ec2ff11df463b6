"""The same bytes filed twice in a case are stored once: finds the object that has them already."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from sqlalchemy import Connection, text

from services.downloader.fetcher.document_store import DocumentStore
from shared.db.engine import Database
from shared.db.visibility import public_text
from shared.events.document_requested import DocumentRequested

_CASES: Final = 1_000
_OF_A_CASE: Final = 5_000
"""What is remembered: cases, and documents of one. Beyond it the same bytes may be stored twice, which harms nobody."""

_FIND = text(
    f"""
    SELECT known.sha256, known.object_key FROM progress.documents AS known
    JOIN catalog.documents AS listed USING (process_number, document_id)
    WHERE known.process_number = :number AND known.status = 'available'
      AND known.sha256 IS NOT NULL AND known.object_key IS NOT NULL AND {public_text("listed")}
    ORDER BY listed.position LIMIT :limit
    """  # noqa: S608 - our own condition
)


class Duplicates:
    """Knows, by case, which object has which bytes: the projection is asked once a case, then this worker remembers."""

    def __init__(self, database: Database, document_store: DocumentStore) -> None:
        self._database = database
        self._document_store = document_store
        self._cases: OrderedDict[str, asyncio.Future[dict[str, str]]] = OrderedDict()

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
            found = self._cases[number] = asyncio.ensure_future(self._read(number))
            if len(self._cases) > _CASES:
                self._cases.popitem(last=False)
        try:
            return await asyncio.shield(found)
        except Exception:
            # Asked again next time; whoever waited for the same question hears the same.
            if self._cases.get(number) is found:
                del self._cases[number]
            raise

    async def _read(self, number: str) -> dict[str, str]:
        def ask(connection: Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for row in connection.execute(_FIND, {"number": number, "limit": _OF_A_CASE}):
                found.setdefault(row.sha256, row.object_key)
            return found

        return await self._database.autocommit(ask)
