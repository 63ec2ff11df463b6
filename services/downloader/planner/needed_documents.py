"""Which documents a job downloads, which it has already and which fail again as they did. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from shared.domain.statuses import DocumentStatus
from sources.errors import is_final

LOST: Final = "lost"
"""Recorded as available, and not in the object store, or not with the size that was recorded."""


class CatalogDocument(NamedTuple):
    """A document of the case and how far it came in earlier jobs. ``size`` is bytes as the source's metadata says."""

    document_id: str
    source_path: str | None
    """None: the source lists it without an address."""
    name: str
    size: int | None
    state: str | None = None
    """A DocumentStatus of the projection, or LOST; None: no job has had it yet."""
    error_code: str | None = None
    content_type: str | None = None
    rendition: str = "binary"
    revision: int = 1
    """The revision of the listing; it grows when the listing shows another content."""
    state_revision: int = 1
    """The revision of the listing that ``state`` is about."""


class DocumentNeed(Enum):
    """What a job needs of a document."""

    NOTHING = auto()
    """It is available already."""
    DOWNLOAD = auto()
    REMINDER = auto()
    """It failed in a way that another attempt cannot change, and is not to be tried again: it fails again as it is."""


def need_of(document: CatalogDocument, *, again: bool) -> DocumentNeed:
    """``again``: the job names its documents, or wants also those tried that failed for good."""
    changed = document.revision > document.state_revision
    if document.state == DocumentStatus.AVAILABLE and not (changed and document.source_path):
        return DocumentNeed.NOTHING
    if document.state == DocumentStatus.FAILED and is_final(document.error_code) and not again and not changed:
        return DocumentNeed.REMINDER
    return DocumentNeed.DOWNLOAD


@dataclass(slots=True)
class JobNeeds:
    """What a job needs in all; of the first window the documents, of the others only their ids."""

    total: int = 0
    available: int = 0
    lost: int = 0
    reminded: list[str] = field(default_factory=list)
    first: list[CatalogDocument] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)


def needs_of_job(documents: Iterable[CatalogDocument], *, again: bool, window: int) -> JobNeeds:
    """Every document counts in ``total`` and has an end of its own (available already, reminded of, requested).

    ``window`` is how many are requested at once.
    """
    needs = JobNeeds()
    for document in documents:
        needs.total += 1
        needs.lost += document.state == LOST
        match need_of(document, again=again):
            case DocumentNeed.NOTHING:
                needs.available += 1
            case DocumentNeed.REMINDER:
                needs.reminded.append(document.document_id)
            case DocumentNeed.DOWNLOAD if len(needs.first) < window:
                needs.first.append(document)
            case DocumentNeed.DOWNLOAD:
                needs.rest.append(document.document_id)
    return needs
