"""One document to fetch, as the fetcher's runtime hands it from decoding to its handler."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.downloader.catalog_queries import ProjectedDocument
from services.downloader.fetcher.case_concurrency import group_of
from shared.domain.case import PDPJ
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import decoder, traceparent
from shared.records import Record
from sources.gate.slot import GateWait

_decode = decoder(DocumentRequested)


@dataclass(slots=True)
class FetchTask:
    """A request, with what is learned about its document on the way to its turn."""

    request: DocumentRequested
    traceparent: str | None = None
    started_at: datetime | None = None
    """When the source was asked for it, in its first attempt."""
    fetched: bool = False
    """Whether it was handled here beyond a look at what is stored: its case may have been deleted meanwhile."""
    checked: bool = False
    """Whether the request was compared with the catalog, which says where the document is and how it is called."""
    source: str = PDPJ
    """The name of the source that lists the document."""
    stored: ProjectedDocument | None = None
    """What is said to be in the object store: an earlier delivery of this record or another job brought it."""
    lost: bool = False
    """It was said to be available, and is not in the object store as it was recorded."""
    gate_wait: GateWait = field(default_factory=GateWait)
    """Its waiting at the gate."""
    replaces: ProjectedDocument | None = None
    """What was stored of the document: of an earlier listing, or gone."""

    @property
    def group(self) -> str:
        """The group that it takes turns in."""
        return group_of(self.request)

    @property
    def not_before(self) -> float | None:
        """Seconds since the epoch."""
        due = self.request.not_before
        return None if due is None else due.timestamp()


def decode(record: Record) -> FetchTask:
    """The task of a record. Raises PoisonRecord."""
    return FetchTask(_decode(record), traceparent(record))
