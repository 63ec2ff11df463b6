"""Documents that are said to be available and whose objects are gone from the store, or not whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from services.api.http.problems import DocumentGone, ServiceUnavailable
from services.api.processes.view.repository import Document
from shared.storage.sizes import ObjectSizes, ObjectStoreAway

_SHOWN: Final = 5

_log = logging.getLogger(__name__)


async def is_gone(objects: ObjectSizes, document: Document) -> bool:
    """Whether the store says that it has no such object, or one of another size; not so while it is away."""
    assert document.state is not None
    try:
        size = await objects.one(document.state.object_key)
    except ObjectStoreAway:
        return False
    if size == document.state.size:
        return False
    _log.error(
        "An available document is not in the object store as recorded; a client can ask for it again",
        extra={"object_key": document.state.object_key, "recorded": document.state.size, "found": size},
    )
    return True


def gone(process_number: str, document_id: str) -> DocumentGone:
    """The problem of one document."""
    return DocumentGone(
        "the document was downloaded, but its object is not in the object store as it was stored; "
        f"POST /processes/{process_number}/download-document/{document_id} fetches it again"
    )


async def refuse_gone(objects: ObjectSizes, process_number: str, documents: Sequence[Document]) -> None:
    """Raises DocumentGone when some of these available documents are, ServiceUnavailable when the store is away."""
    try:
        sizes = await objects.of_case(process_number)
    except ObjectStoreAway as away:
        raise ServiceUnavailable("the object store is away, try again", headers={"Retry-After": "2"}) from away
    lost = [
        document.listed.document_id
        for document in documents
        if document.state is not None and sizes.get(document.state.object_key) != document.state.size
    ]
    if not lost:
        return
    _log.error(
        "Available documents are not in the object store as recorded; a client can ask for them again",
        extra={"process_number": process_number, "count": len(lost)},
    )
    named = ", ".join(lost[:_SHOWN]) + (" …" if len(lost) > _SHOWN else "")
    raise DocumentGone(
        f"{len(lost)} of the {len(documents)} documents are not in the object store as they were stored ({named}); "
        f"POST /processes/{process_number}/download-all-documents fetches them again"
    )
