"""The objects of available documents: whether the store still has them as they were recorded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final, NamedTuple

from fastapi import Depends

from services.api.http.problems import DocumentGone, ServiceUnavailable
from services.api.http.provided import provided
from services.api.processes.view.repository import KnownDocument, find_available
from shared.db.engine import Database
from shared.domain.secrecy import Viewer
from shared.storage.sizes import ObjectSizes, ObjectStoreAway

_NAMED: Final = 5
"""How many documents a problem names."""

_log = logging.getLogger(__name__)


class StoredObject(NamedTuple):
    """An available document as it was recorded. ``size`` is bytes."""

    document_id: str
    key: str
    size: int


class DocumentObjects:
    """Compares what is recorded of available documents with what the object store has."""

    def __init__(self, database: Database, sizes: ObjectSizes) -> None:
        self._database = database
        self._sizes = sizes

    async def is_lost(self, viewer: Viewer, process_number: str, document_id: str) -> bool:
        """Whether the document is available for the viewer, and its object is gone."""
        find = partial(find_available, viewer=viewer, process_number=process_number, document_id=document_id)
        document = await self._database.snapshot(find)
        return document is not None and await self.is_gone(document)

    async def is_gone(self, document: KnownDocument) -> bool:
        """Whether the store says that it has no such object, or one of another size; False while the store is away.

        One request to the store for each call. Logs what it finds, once a call.
        """
        assert document.state is not None
        try:
            size = await self._sizes.one(document.state.object_key)
        except ObjectStoreAway:
            return False
        if size == document.state.size:
            return False
        _log.error(
            "An available document is not in the object store as recorded; a client can ask for it again",
            extra={"object_key": document.state.object_key, "recorded": document.state.size, "found": size},
        )
        return True

    async def refuse_gone(self, process_number: str, documents: Sequence[StoredObject]) -> None:
        """Raise DocumentGone when some of these available documents are, ServiceUnavailable when the store is away."""
        try:
            sizes = await self._sizes.of_case(process_number)
        except ObjectStoreAway as away:
            raise ServiceUnavailable("the object store is away, try again", headers={"Retry-After": "2"}) from away
        lost = [document.document_id for document in documents if sizes.get(document.key) != document.size]
        if not lost:
            return
        _log.error(
            "Available documents are not in the object store as recorded; a client can ask for them again",
            extra={"process_number": process_number, "count": len(lost)},
        )
        named = ", ".join(lost[:_NAMED]) + (" …" if len(lost) > _NAMED else "")
        raise DocumentGone(
            f"{len(lost)} of the {len(documents)} documents are not in the object store as they were stored ({named}); "
            f"POST /processes/{process_number}/download-all-documents fetches them again"
        )


Objects = Annotated[DocumentObjects, Depends(provided(DocumentObjects))]


def gone(process_number: str, document_id: str) -> DocumentGone:
    """The problem of one document."""
    return DocumentGone(
        "the document was downloaded, but its object is not in the object store as it was stored; "
        f"POST /processes/{process_number}/download-document/{document_id} fetches it again"
    )
