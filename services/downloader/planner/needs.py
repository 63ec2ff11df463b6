"""Pure: what a job needs of each document of its case, and how a large job is released in windows.

A case's documents are in one partition (keyed by the case), and a partition is read ahead only so far. So a large job
is written a window at a time: two documents of a window, whatever becomes of them, ask for the one after it. What
a job needs is decided once, when it is planned; the windows that wait are the rows of schema ``source``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from shared.domain.cnj import ProcessNumber, parse
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from shared.storage.store import object_key
from sources.errors import DocumentNotFound, is_permanent

AVAILABLE: Final = "available"
FAILED: Final = "failed"
"""Document states of the projection (docs/architecture.md, "States")."""
LOST: Final = "lost"
"""Said to be available, and not in the object store, or not with the size that was recorded."""

_MARKS: Final = (0.5, 0.75)
"""Where in a window the documents stand that ask for the next: two, so that one that hangs does not stop the job."""
CLAIM_LASTS: Final = timedelta(minutes=10)
"""A window that was claimed so long ago may be released again: whoever claimed it is gone, or it is a repeat."""


class CatalogDocument(NamedTuple):
    """A document of the case and how far it came in earlier jobs. ``size`` is bytes as the source's metadata says."""

    document_id: str
    source_path: str | None
    """None: the source lists it without an address."""
    name: str
    size: int | None
    state: str | None = None
    error_code: str | None = None
    content_type: str | None = None
    rendition: str = "binary"
    revision: int = 1
    """Of the listing, which grows when that shows another content."""
    state_revision: int = 1
    """Of the listing that ``state`` is about."""


class Failure(NamedTuple):
    """What was said of a document when it failed."""

    error_code: str
    error_message: str
    attempts: int
    revision: int = 1


class Need(Enum):
    """What a job needs of a document."""

    NOTHING = auto()
    """It is available already."""
    DOWNLOAD = auto()
    REMINDER = auto()
    """It failed in a way that another attempt cannot change, and is not to be tried again: it fails again as it is."""


def need(document: CatalogDocument, *, again: bool) -> Need:
    """``again``: the job names its documents, or wants also those tried that failed for good."""
    changed = document.revision > document.state_revision
    if document.state == AVAILABLE and not (changed and document.source_path):
        return Need.NOTHING
    if document.state == FAILED and is_permanent(document.error_code) and not again and not changed:
        return Need.REMINDER
    return Need.DOWNLOAD


@dataclass(slots=True)
class Needs:
    """What a job needs in all; of the first window the documents, of the others only their ids."""

    total: int = 0
    available: int = 0
    lost: int = 0
    reminded: list[str] = field(default_factory=list)
    first: list[CatalogDocument] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)


def sort_out(documents: Iterable[CatalogDocument], *, again: bool, window: int) -> Needs:
    """Every document counts in ``total`` and has an end of its own (available already, reminded of, requested).

    ``window`` is how many are requested at once.
    """
    needs = Needs()
    for document in documents:
        needs.total += 1
        needs.lost += document.state == LOST
        match need(document, again=again):
            case Need.NOTHING:
                needs.available += 1
            case Need.REMINDER:
                needs.reminded.append(document.document_id)
            case Need.DOWNLOAD if len(needs.first) < window:
                needs.first.append(document)
            case Need.DOWNLOAD:
                needs.rest.append(document.document_id)
    return needs


def windows(ids: Sequence[str], size: int) -> list[list[str]]:
    """The ids in windows, in their order."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def marks(count: int) -> frozenset[int]:
    """Which of a window's ``count`` documents ask for the next window."""
    return frozenset(min(count - 1, int(count * mark)) for mark in _MARKS) if count else frozenset()


def may_release(released_by: str | None, released_at: datetime | None, by: str, now: datetime) -> bool:
    """Whether the record ``by`` (topic/partition/offset) releases a window.

    The first that asks claims it before it writes, so that a repeat of the question writes nothing twice. When it is
    killed in between, the same record comes again, and has the claim. A claim whose record never came again (its
    topic was lost, its group set back) ends after a while: a window released twice costs only work.
    """
    if released_by is None or released_by == by:
        return True
    return released_at is None or now - released_at > CLAIM_LASTS


@dataclass(frozen=True, slots=True)
class Place:
    """A window's place in its plan. ``more``: another one follows it."""

    plan_id: str
    number: int
    more: bool


def requests(
    request: ProcessRequested, documents: Sequence[CatalogDocument], place: Place | None = None
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


def _download(
    request: ProcessRequested, number: ProcessNumber, document: CatalogDocument, place: Place | None
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


def reminder(request: ProcessRequested, document_id: str, failure: Failure) -> DocumentFailed:
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
    return reminder(request, document_id, Failure(DocumentNotFound.CODE, DocumentNotFound.MESSAGE, 1))
