"""Pure: what a job needs of each document of its case, as a stream of events that ends in JobPlanned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from shared.cnj import ProcessNumber, parse
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from shared.pdpj.errors import is_permanent
from shared.storage import object_key

AVAILABLE: Final = "available"
FAILED: Final = "failed"
"""Document states of the projection (docs/architecture.md, document status)."""


class CatalogDocument(NamedTuple):
    """A document of the case and how far it came in earlier jobs. ``size`` is bytes as the source's metadata says."""

    document_id: str
    source_path: str
    name: str
    size: int | None
    state: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempts: int = 0


class Need(Enum):
    """What a job needs of a document."""

    NOTHING = auto()
    """It is available already."""
    DOWNLOAD = auto()
    REMINDER = auto()
    """It failed in a way that another attempt cannot change, and was not asked for by name: it fails again as it is."""


def need(document: CatalogDocument, *, listed: bool) -> Need:
    """``listed``: the job names the documents that it wants."""
    if document.state == AVAILABLE:
        return Need.NOTHING
    if document.state == FAILED and is_permanent(document.error_code) and not listed:
        return Need.REMINDER
    return Need.DOWNLOAD


def plan(
    request: ProcessRequested, documents: Iterable[CatalogDocument]
) -> Iterator[DocumentRequested | DocumentFailed | JobPlanned]:
    """The events of a job, one by one: nothing is kept but two counts, so JobPlanned comes last.

    Every document counts in ``total_documents``; each gets an end of its own (available already, or an event), so
    that the job's counters add up.
    """
    listed = request.document_ids is not None
    number = parse(request.process_number)
    total = available = 0
    for document in documents:
        total += 1
        match need(document, listed=listed):
            case Need.NOTHING:
                available += 1
            case Need.REMINDER:
                yield _reminder(request, document)
            case Need.DOWNLOAD:
                yield _download(request, number, document)
    yield JobPlanned(
        job_id=request.job_id,
        process_number=request.process_number,
        total_documents=total,
        already_available=available,
        created_at=request.created_at,
    )


def _download(request: ProcessRequested, number: ProcessNumber, document: CatalogDocument) -> DocumentRequested:
    return DocumentRequested(
        job_id=request.job_id,
        process_number=request.process_number,
        document_id=document.document_id,
        source_path=document.source_path,
        object_key=object_key(number, document.document_id),
        name=document.name,
        expected_size=document.size,
    )


def _reminder(request: ProcessRequested, document: CatalogDocument) -> DocumentFailed:
    return DocumentFailed(
        job_id=request.job_id,
        process_number=request.process_number,
        document_id=document.document_id,
        error_code=document.error_code or "",
        error_message=document.error_message or "",
        attempts=max(1, document.attempts),
    )
