"""What the simulator knows of a case before it is put into one of the source's JSON shapes."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from autos.local.pdpj.courts import Court
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.vocabulary import Coded, Subject
from shared.domain.cnj import ProcessNumber


class ContentKind(StrEnum):
    """What a document's bytes are."""

    PDF = "pdf"
    HTML = "html"
    HTML_LATIN1 = "html_latin1"
    HTML_TURNED = "html_turned"
    """UTF-8 that still says ISO-8859-1 of itself; what the data lake makes of :attr:`HTML_LATIN1`."""
    JPEG = "jpeg"
    PNG = "png"
    MP4 = "mp4"
    P7S = "p7s"
    """A signature in PKCS #7 that holds the PDF which it signs."""

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` of the portal's answer, with the charset of HTML."""
        return _CONTENT_TYPES[self]

    @property
    def true_type(self) -> str:
        """What the bytes are, whatever an answer says of them."""
        return "text/html; charset=utf-8" if self is ContentKind.HTML_TURNED else _CONTENT_TYPES[self]

    @property
    def media_type(self) -> str:
        """The value of ``arquivo.tipo`` in the portal."""
        return _CONTENT_TYPES[self].partition(";")[0]

    @property
    def lake_name(self) -> str:
        """The value of ``arquivo.tipo`` in the data lake: ``APPLICATION_PDF``."""
        return re.sub(r"[^A-Z0-9]", "_", self.media_type.upper())

    @property
    def in_the_lake(self) -> ContentKind:
        """What the data lake keeps of it: it turns Latin-1 into UTF-8 and leaves the words."""
        return ContentKind.HTML_TURNED if self is ContentKind.HTML_LATIN1 else self


_CONTENT_TYPES = {
    ContentKind.PDF: "application/pdf",
    ContentKind.HTML: "text/html; charset=utf-8",
    ContentKind.HTML_LATIN1: "text/html; charset=iso-8859-1",
    ContentKind.HTML_TURNED: "text/html",
    ContentKind.JPEG: "image/jpeg",
    ContentKind.PNG: "image/png",
    ContentKind.MP4: "video/mp4",
    ContentKind.P7S: "application/pkcs7-signature",
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
    version: int = 0
    """Rises when a file is put in place of another under the same id."""
    oddities: frozenset[OddityKind] = frozenset()

    @property
    def source_id(self) -> str:
        """The id that the source shows: ``document_id`` but for an oddity."""
        return str(self.codex_id) if OddityKind.ID_NOT_UUID in self.oddities else self.document_id

    @property
    def codex_id(self) -> int:
        """11 digits, as seen."""
        return 10**10 + zlib.crc32(self.document_id.encode())

    def in_the_lake(self) -> FiledDocument:
        """The document with the content that the data lake keeps of it."""
        kept = self.kind.in_the_lake
        return self if kept is self.kind else replace(self, kind=kept)

    @property
    def has_binary(self) -> bool:
        """Whether ``/binario`` has something to give."""
        return OddityKind.TEXT_ONLY not in self.oddities


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
    distributed_at: datetime
    """The time of the last distribution: a case that comes back to the first degree is distributed there again."""


@dataclass(frozen=True, slots=True)
class Related:
    """Another case that this one belongs with."""

    number: str
    relation: str
    case_class: Coded


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
    """By the id that the source shows."""
    related: tuple[Related, ...] = ()
    oddities: frozenset[OddityKind] = frozenset()
