"""The documents in a case's JSON: found in every place that lists them, none left out, each with an address of ours.

What the source lists counts, whatever it lacks. A document without an address is in the case all the same; it cannot
be fetched, and fails by name. One that is listed in several places is one document.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.case import CaseDocument, Rendition
from shared.domain.secrecy import listed_level
from sources.pdpj.parse.fields import as_dict, byte_count, count, integer, text
from sources.pdpj.parse.secrecy import stricter, word_of
from sources.pdpj.parse.timestamps import timestamp
from sources.pdpj.wire.addresses import DocumentAddress, address_of, content_path, derived_id, is_source_path, our_id

__all__ = ["Listing", "binary_path", "is_source_path", "listed_in", "read_documents"]

Json = dict[str, Any]

_NAME_LIMIT: Final = 1000
_NO_NAME: Final = "documento"
_LISTS: Final = ("documentos", "content")
_OF_A_DOCUMENT: Final = frozenset(
    {"id", "idDocumento", "idCodex", "idOrigem", "nome", "sequencia", "tipo", "arquivo", "hrefBinario", "hrefTexto"}
)
_HASHES: Final = ("hash", "sha256", "sha1", "md5", "checksum", "hashArquivo", "hashConteudo")
_FILE_TYPES: Final = {
    "APPLICATION_PDF": "application/pdf",
    "APPLICATION_RTF": "application/rtf",
    "APPLICATION_XML": "application/xml",
    "APPLICATION_ZIP": "application/zip",
    "APPLICATION_MSWORD": "application/msword",
    "APPLICATION_OCTET_STREAM": "application/octet-stream",
    "APPLICATION_PKCS7_SIGNATURE": "application/pkcs7-signature",
}
_FAMILIES: Final = ("TEXT", "IMAGE", "AUDIO", "VIDEO")

binary_path = content_path


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of documents, and the part of the case that it stands in."""

    items: Any
    court: str | None = None
    degree: str | None = None
    instance: str | None = None


def listed_in(value: Any) -> Iterator[Json]:
    """The documents in a ``documentos``: an array, a page or an object with the array inside, or one document."""
    if isinstance(value, str):
        yield {"id": value}
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item
            elif isinstance(item, str) and item.strip():
                yield {"id": item}
    elif isinstance(value, dict):
        inner = [value[name] for name in _LISTS if isinstance(value.get(name), list | dict)]
        if inner:
            for part in inner:
                yield from listed_in(part)
        elif _OF_A_DOCUMENT & value.keys():
            yield value
        else:
            yield from (item for item in value.values() if isinstance(item, dict))


def read_documents(listings: Iterable[Listing], process_number: str) -> list[CaseDocument]:
    """Every document once, where it was first listed; a later listing fills in what the first left out."""
    found: dict[str, CaseDocument] = {}
    places: defaultdict[str, set[int]] = defaultdict(set)
    for place, listing in enumerate(listings):
        unnamed: Counter[str] = Counter()
        for item in listed_in(listing.items):
            document = _document(item, listing, process_number, unnamed)
            known = found.get(document.document_id)
            found[document.document_id] = document if known is None else _filled(known, document)
            places[document.document_id].add(place)
    return _without_shadows(found, places)


def _document(item: Json, listing: Listing, process_number: str, unnamed: Counter[str]) -> CaseDocument:
    kind, file = as_dict(item.get("tipo")), as_dict(item.get("arquivo"))
    address = address_of(item, process_number)
    shadow = _shadow_id(item, listing.court, process_number)
    if address is None:
        document_id = _nth(shadow, unnamed, process_number)
    else:
        document_id = our_id(process_number, address.source_id)
    return CaseDocument(
        document_id=document_id,
        name=text(item.get("nome"), _NAME_LIMIT) or text(kind.get("nome"), _NAME_LIMIT) or _NO_NAME,
        type=text(kind.get("nome")) or text(item.get("tipo")),
        type_code=text(kind.get("codigo")),
        sequence=integer(item.get("sequencia")),
        filed_at=timestamp(item.get("dataHoraJuntada")),
        pages=count(file.get("quantidadePaginas")),
        size=byte_count(file.get("tamanho")) or None,
        content_type=_file_type(file.get("tipo")),
        secrecy_level=listed_level(item, word_of(item.get("nivelSigilo"))),
        source_path=_path(address),
        source_id=address.source_id if address is not None else text(item.get("id"), _NAME_LIMIT),
        rendition=address.rendition.value if address is not None else Rendition.BINARY.value,
        court=listing.court,
        degree=listing.degree,
        instance=listing.instance,
        source_hash=_hash(item, file),
        shadow_id=shadow if address is not None else None,
    )


def _path(address: DocumentAddress | None) -> str | None:
    if address is None:
        return None
    path = content_path(address.number, address.source_id, address.rendition)
    return path if is_source_path(path) else None


def _shadow_id(item: Json, court: str | None, process_number: str) -> str:
    """The id that the document has while the source lists it without an address."""
    if (given := text(item.get("idCodex"), 200)) is not None:
        return derived_id(process_number, f"idCodex:{given}")
    # The court's own: another court may have the same.
    names = ("idOrigem",) if text(item.get("idOrigem"), 200) else ("id", "sequencia", "nome", "dataHoraJuntada")
    parts = (text(item.get(name), 200) or "" for name in names)
    return derived_id(process_number, f"{'|'.join(names)}:{court}:{'|'.join(parts)}")


def _nth(shadow: str, unnamed: Counter[str], process_number: str) -> str:
    """Several documents of one list that nothing tells apart are several documents."""
    unnamed[shadow] += 1
    return shadow if unnamed[shadow] == 1 else derived_id(process_number, f"{shadow}#{unnamed[shadow]}")


def _filled(known: CaseDocument, other: CaseDocument) -> CaseDocument:
    """``known`` with what it lacks; a binary wins over a text, and the stricter level of secrecy over the other."""
    missing = {
        field.name: getattr(other, field.name)
        for field in dataclasses.fields(known)
        if getattr(known, field.name) is None and getattr(other, field.name) is not None
    }
    missing["secrecy_level"] = stricter(known.secrecy_level, other.secrecy_level)
    if known.name == _NO_NAME and other.name != _NO_NAME:
        missing["name"] = other.name
    if known.rendition == Rendition.TEXT.value and other.rendition == Rendition.BINARY.value and other.source_path:
        missing |= {"rendition": other.rendition, "source_path": other.source_path}
    return dataclasses.replace(known, **missing)


def _without_shadows(found: dict[str, CaseDocument], places: Mapping[str, set[int]]) -> list[CaseDocument]:
    """A document that one list gives with and another without its address is the one with it.

    Two of the same list are two documents, whatever they share.
    """
    shadows = {document.shadow_id: document.document_id for document in found.values() if document.source_path}
    for document in list(found.values()):
        real = shadows.get(document.document_id)
        if document.source_path is not None or real is None or real == document.document_id:
            continue
        if not places[real] & places[document.document_id]:
            found[real] = _filled(found[real], document)
            del found[document.document_id]
    return list(found.values())


def _hash(item: Json, file: Json) -> str | None:
    """What the listing tells of the bytes besides their size; to compare and nothing else."""
    given = (text(place[name], 200) for place in (file, item) for name in _HASHES if name in place)
    return next((value for value in given if value is not None), None) or text(file.get("id"), 200)


def _file_type(value: object) -> str | None:
    """``APPLICATION_PDF`` as ``application/pdf``; None for a name whose parts cannot be told."""
    name = text(value, 100)
    if name is None:
        return None
    if match := re.fullmatch(r"([A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+)(?:\s*;.*)?", name):
        return match[1].lower()
    name = name.upper()
    if name in _FILE_TYPES:
        return _FILE_TYPES[name]
    family, _, rest = name.partition("_")
    if family in _FAMILIES and re.fullmatch(r"[A-Z0-9]+", rest):
        return f"{family}/{rest}".lower()
    return None
