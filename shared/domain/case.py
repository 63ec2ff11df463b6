"""A case as Autos knows it: the source's JSON turned into fields of one name and one type each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

PDPJ: Final = "pdpj"
"""The source of every case that no other source is set for."""


class Rendition(StrEnum):
    """Which form of a document is fetched."""

    BINARY = "binary"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class CaseDocument:
    """One document of a case: its metadata, and where its content is. Times are aware, in UTC; sizes are bytes.

    ``source_path`` is relative to the API's root and always of the form
    ``/processos/{number}/documentos/{id}/binario`` or ``/texto``; None: the source lists it without an address.
    ``source_id`` is the source's own id, ``rendition`` ``binary`` or ``text``. ``source_hash`` changes
    with the file where the source says so. ``shadow_id`` is the id that the document had while it was listed without an
    address.
    """

    document_id: str
    name: str
    type: str | None
    type_code: str | None
    sequence: int | None
    filed_at: datetime | None
    pages: int | None
    size: int | None
    content_type: str | None
    secrecy_level: str | None
    source_path: str | None
    source_id: str | None = None
    rendition: str = "binary"
    court: str | None = None
    degree: str | None = None
    instance: str | None = None
    source_hash: str | None = None
    shadow_id: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``subjects``, ``parties`` and ``movements`` are ready for JSON:

    subjects ``[{code, description}]``, parties ``[{name, role, pole, representatives: [{name, role}]}]``, movements
    ``[{at, code, description}]`` with ``at`` in RFC 3339, newest first. No tax number is kept. ``documents`` are in
    the source's order, each once, also those that the source lists without an address. ``related`` are
    ``[{process_number, relation, class}]``. ``unlisted``: the source has a list of documents apart from the
    case, and it was missing, empty or not to be read. ``left_out``: how many documents, movements, parties, subjects
    and representatives are beyond the source's bounds and so are not in the lists here. ``source`` is the name of the
    source that the case was read from, which gives its documents too.
    """

    process_number: str
    court: str | None
    degree: str | None
    class_: str | None
    subjects: list[dict[str, Any]]
    parties: list[dict[str, Any]]
    filed_at: datetime | None
    claim_value: Decimal | None
    secrecy_level: int | None
    movements: list[dict[str, Any]]
    documents: list[CaseDocument] = field(default_factory=list)
    unlisted: bool = False
    left_out: dict[str, int] = field(default_factory=dict)
    related: list[dict[str, Any]] = field(default_factory=list)
    source: str = PDPJ

    @property
    def unaddressed(self) -> int:
        """How many documents have no address."""
        return sum(document.source_path is None for document in self.documents)

    @property
    def complete(self) -> bool:
        """Whether there are documents and every one of them can be read."""
        return bool(self.documents) and self.unaddressed == 0 and not self.unlisted

    @property
    def movements_total(self) -> int:
        """How many movements the source lists."""
        return len(self.movements) + self.left_out.get("movements", 0)

    @property
    def parties_total(self) -> int:
        """How many parties the source lists."""
        return len(self.parties) + self.left_out.get("parties", 0)
