"""The events of a planned job: requests of documents, failures that stand, and the plan itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.downloader.planner.needed_documents import CatalogDocument
from services.downloader.planner.windows import WindowPlace, marks
from shared.domain.cnj import ProcessNumber, parse
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from shared.storage.store import object_key
from sources.errors import DocumentNotFound


class KnownFailure(NamedTuple):
    """What was said of a document when it failed."""

    error_code: str
    error_message: str
    attempts: int
    revision: int = 1


def requests(
    request: ProcessRequested, documents: Sequence[CatalogDocument], place: WindowPlace | None = None
) -> Iterator[DocumentRequested]:
    """The requests of a window, or of a whole job that is no larger than one (``place`` None)."""
    number = parse(request.process_number)
    asking = marks(len(documents)) if place is not None and place.more else frozenset()
    for index, document in enumerate(documents):
        yield _download(request, number, document, place if index in asking else None)


def planned(request: ProcessRequested, total: int, available: int) -> JobPlanned:
    """The job's documents are known."""
    return JobPlanned(
        job_id=request.job_id,
        process_number=request.process_number,
        total_documents=total,
        already_available=available,
        created_at=request.created_at,
    )


def reminder(request: ProcessRequested, document_id: str, failure: KnownFailure) -> DocumentFailed:
    """An earlier failure, told again for this job."""
    return DocumentFailed(
        job_id=request.job_id,
        process_number=request.process_number,
        document_id=document_id,
        error_code=failure.error_code,
        error_message=failure.error_message,
        attempts=max(1, failure.attempts),
        revision=failure.revision,
    )


def vanished(request: ProcessRequested, document_id: str) -> DocumentFailed:
    """The end of a document that the catalog no longer has, so that its job ends too."""
    return reminder(request, document_id, KnownFailure(DocumentNotFound.CODE, DocumentNotFound.MESSAGE, 1))


def _download(
    request: ProcessRequested, number: ProcessNumber, document: CatalogDocument, place: WindowPlace | None
) -> DocumentRequested:
    return DocumentRequested(
        job_id=request.job_id,
        process_number=request.process_number,
        document_id=document.document_id,
        source_path=document.source_path or "",
        object_key=object_key(number, document.document_id),
        name=document.name,
        expected_size=document.size,
        listed_type=document.content_type,
        rendition=document.rendition,
        revision=document.revision,
        plan_id=None if place is None else place.plan_id,
        release_after=None if place is None else place.number,
    )
