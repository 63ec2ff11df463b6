"""Where a document's content is: read out of the source's addresses, and always written by us. Pure.

The source names a document by an address (portal: ``hrefBinario``, ``hrefTexto``, of the document or of its
``arquivo``) or by an ``id`` (data lake). Only the case number and the document's id are taken from it, in whatever form
the address comes; what is asked for is always ``/processos/{number}/documentos/{id}/binario`` (or ``/texto``) below the
configured root, so that no address leads anywhere else.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from shared.domain import cnj
from shared.domain.case import Rendition
from shared.domain.derived_ids import uuid5_text
from sources.pdpj.parse.fields import as_dict, byte_count, text, uuid_text

_ADDRESS: Final = re.compile(
    r"(?:processos/([0-9.%A-Fa-f\-]{20,40})/+)?documentos/+([^/?#\s]{1,1000})/+(binario|texto)(?=[/?#]|$)"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SEGMENT: Final = r"(?:[A-Za-z0-9_~.-]|%[0-9A-F]{2}){1,4000}"
_SOURCE_PATH: Final = re.compile(rf"/processos/([0-9.\-]{{20,25}})/documentos/({_SEGMENT})/(?:binario|texto)")
_LONGEST_ID: Final = 300
_LONGEST_ADDRESS: Final = 4000
_OURS: Final = uuid.UUID("5f0c2f8e-4a0d-5c0b-9d1e-6a7a3c1b9f20")
"""The name space of the ids that are made from ids that are no UUIDs."""


@dataclass(frozen=True, slots=True)
class DocumentAddress:
    """Where a document is at the source. ``source_id`` is theirs, as it stands."""

    source_id: str
    number: str
    rendition: Rendition


def content_path(number: str, source_id: str, rendition: Rendition = Rendition.BINARY) -> str:
    """Where the content of a document is, relative to the root of either API."""
    ending = "texto" if rendition is Rendition.TEXT else "binario"
    return f"/processos/{number}/documentos/{quote(source_id, safe='')}/{ending}"


def is_source_path(path: str) -> bool:
    """Whether this is the address of a document's content and of nothing else."""
    match = _SOURCE_PATH.fullmatch(path)
    return match is not None and match[2].strip(".") != ""


def our_id(process_number: str, source_id: str) -> str:
    """The id that Autos gives a document: a UUID of theirs as it is, else one made from the case and their id."""
    return uuid_text(source_id) or derived_id(process_number, f"id:{source_id}")


def derived_id(process_number: str, key: str) -> str:
    """A UUID that is always the same for the same key within the same case."""
    return uuid5_text(_OURS, f"{process_number}/{key}")


def address_of(item: dict[str, Any], process_number: str) -> DocumentAddress | None:
    """The address in a listed document; None when it has none. The binary comes before the text."""
    binary = _named(item, "hrefBinario", process_number)
    if binary is not None:
        return binary
    own_id = _id_of(item)
    written = _named(item, "hrefTexto", process_number)
    if written is not None:
        return DocumentAddress(written.source_id, written.number, Rendition.TEXT)
    if own_id is None:
        return None
    return DocumentAddress(own_id, process_number, Rendition.TEXT if _has_text_alone(item) else Rendition.BINARY)


def _has_text_alone(item: dict[str, Any]) -> bool:
    """Whether a listing without addresses (the data lake's) says that the file has no bytes and its text has some.

    A size that is left out says nothing.
    """
    file = as_dict(item.get("arquivo"))
    no_bytes = "tamanho" in file and (file["tamanho"] is None or byte_count(file["tamanho"]) == 0)
    return no_bytes and (byte_count(file.get("tamanhoTexto")) or 0) > 0


def _named(item: dict[str, Any], name: str, process_number: str) -> DocumentAddress | None:
    for href in _hrefs(item, name):
        if (match := _ADDRESS.search(href)) is not None:
            source_id = _usable(unquote(match[2]))
            if source_id is not None:
                return DocumentAddress(source_id, _number(match[1], process_number), Rendition.BINARY)
        # A form that nobody has shown: the id beside it says more than the address; else the UUID inside of it.
        found = _UUID.search(href)
        source_id = _id_of(item) or (found[0].lower() if found is not None else None)
        if source_id is not None:
            return DocumentAddress(source_id, process_number, Rendition.BINARY)
    return None


def _hrefs(item: dict[str, Any], name: str) -> Iterator[str]:
    for place in (item, as_dict(item.get("arquivo"))):
        href = place.get(name)
        if isinstance(href, str) and href.strip() and len(href) <= _LONGEST_ADDRESS:
            yield href.strip()


def _id_of(item: dict[str, Any]) -> str | None:
    for name in ("id", "idDocumento"):
        if (found := _usable(text(item.get(name), 4 * _LONGEST_ID))) is not None:
            return found
    return None


def _usable(source_id: str | None) -> str | None:
    """Their id where it can be part of an address; a UUID in lower case."""
    if source_id is None or not source_id.strip(". ") or len(source_id) > _LONGEST_ID or not source_id.isprintable():
        return None
    return uuid_text(source_id) or source_id.strip()


def _number(found: str | None, process_number: str) -> str:
    """The case number in the document's own address, which can be that of a joined case; else the case's."""
    if not found or found == process_number:
        return process_number
    try:
        return cnj.parse(unquote(found))
    except cnj.InvalidProcessNumber:
        return process_number
