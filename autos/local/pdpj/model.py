"""What the simulator knows of a case before it is put into one of the source's JSON shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from autos.local.pdpj.courts import Court
from autos.local.pdpj.vocabulary import Coded, Subject
from shared.domain.cnj import ProcessNumber


class ContentKind(StrEnum):
    """What a document's bytes are."""

    PDF = "pdf"
    HTML = "html"
    HTML_LATIN1 = "html_latin1"
    JPEG = "jpeg"
    PNG = "png"
    MP4 = "mp4"

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` of the answer, with the charset of HTML."""
        return _CONTENT_TYPES[self]

    @property
    def source_name(self) -> str:
        """The value of ``arquivo.tipo``."""
        return _SOURCE_NAMES[self]


_CONTENT_TYPES = {
    ContentKind.PDF: "application/pdf",
    ContentKind.HTML: "text/html; charset=utf-8",
    ContentKind.HTML_LATIN1: "text/html; charset=iso-8859-1",
    ContentKind.JPEG: "image/jpeg",
    ContentKind.PNG: "image/png",
    ContentKind.MP4: "video/mp4",
}
_SOURCE_NAMES = {
    ContentKind.PDF: "APPLICATION_PDF",
    ContentKind.HTML: "TEXT_HTML",
    ContentKind.HTML_LATIN1: "TEXT_HTML",
    ContentKind.JPEG: "IMAGE_JPEG",
    ContentKind.PNG: "IMAGE_PNG",
    ContentKind.MP4: "VIDEO_MP4",
}

SECRECY = ("PUBLICO", "SEGREDO_JUSTICA", "SIGILO_MINIMO", "SIGILO_MEDIO", "SIGILO_INTENSO", "SIGILO_ABSOLUTO")


@dataclass(frozen=True, slots=True)
class FiledDocument:
    """One UUID of the source. ``filing_id`` is shared by the two UUIDs of one filing, and so are the bytes."""

    index: int
    document_id: str
    filing_id: str
    degree: int
    sequence: int
    filed_at: datetime
    name: str
    type_name: str
    type_code: int | None
    secrecy: str
    kind: ContentKind
    content_type: str
    size: int
    pages: int | None
    described: bool
    """Whether the source gives ``arquivo`` for it."""


@dataclass(frozen=True, slots=True)
class Party:
    pole: str
    role: str
    name: str
    tax_id: str
    is_company: bool
    lawyer: str | None
    lawyer_number: str


@dataclass(frozen=True, slots=True)
class Movement:
    sequence: int
    at: datetime
    kind: Coded
    document_id: str | None


@dataclass(frozen=True, slots=True)
class Docket:
    """The part of a case that runs in one degree (a "tramitação")."""

    degree: int
    filed_at: datetime
    unit: Coded
    case_class: Coded
    documents: tuple[FiledDocument, ...]
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class SourceCase:
    """One case of the source; ``documents`` in the order of filing, over both degrees."""

    number: ProcessNumber
    court: Court
    secrecy_level: int
    claim_value: float
    subjects: tuple[Subject, ...]
    parties: tuple[Party, ...]
    current: Docket
    others: tuple[Docket, ...]
    documents: tuple[FiledDocument, ...]
    last_update: datetime
    by_id: dict[str, FiledDocument] = field(repr=False)
