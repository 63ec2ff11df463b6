"""The documents in a case's JSON: found in every place that lists them, each UUID once, with an address of our making.

An address of the source's is read for the UUID and the case number in it, and never followed as it stands: what is
asked for is always ``/processos/{number}/documentos/{uuid}/binario`` below the configured root.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, Final

from shared import cnj
from shared.pdpj.fields import as_dict, byte_count, integer, moment, text, uuid_text
from shared.pdpj.model import CaseDocument

Json = dict[str, Any]

_HREF: Final = re.compile(r"/processos/([0-9.\-]{20,25})/documentos/([0-9a-fA-F-]{36})/(?:binario|texto)\b")
_SOURCE_PATH: Final = re.compile(
    r"/processos/([0-9.\-]{20,25})/documentos/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/binario"
)
_NAME_LIMIT: Final = 1000
_NO_NAME: Final = "documento"
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


def binary_path(process_number: str, document_id: str) -> str:
    """Where the content of a document is, relative to the root of either API."""
    return f"/processos/{process_number}/documentos/{document_id}/binario"


def is_source_path(path: str) -> bool:
    """Whether this is the address of a document's content and of nothing else."""
    return _SOURCE_PATH.fullmatch(path) is not None


def read_documents(items: Sequence[Any], process_number: str) -> tuple[list[CaseDocument], int]:
    """Each UUID once, where it was first listed; a later listing fills in what the first left out."""
    found: dict[str, CaseDocument] = {}
    unaddressed = 0
    for item in items:
        if not isinstance(item, dict):
            unaddressed += 1
            continue
        document_id = _document_id(item)
        if document_id is None:
            unaddressed += 1
            continue
        document = _document(item, document_id, process_number)
        known = found.get(document_id)
        found[document_id] = document if known is None else _filled(known, document)
    return list(found.values()), unaddressed


def _document_id(item: Json) -> str | None:
    """The UUID in the addresses (portal), or the id (data lake). Addresses are never followed as they stand."""
    for name in ("hrefBinario", "hrefTexto"):
        href = item.get(name)
        match = _HREF.search(href) if isinstance(href, str) else None
        if match is not None and (document_id := uuid_text(match[2])) is not None:
            return document_id
    return uuid_text(item.get("id"))


def _document(item: Json, document_id: str, process_number: str) -> CaseDocument:
    kind, file = as_dict(item.get("tipo")), as_dict(item.get("arquivo"))
    return CaseDocument(
        document_id=document_id,
        name=text(item.get("nome"), _NAME_LIMIT) or text(kind.get("nome"), _NAME_LIMIT) or _NO_NAME,
        type=text(kind.get("nome")),
        type_code=text(kind.get("codigo")),
        sequence=integer(item.get("sequencia")),
        filed_at=moment(item.get("dataHoraJuntada")),
        pages=integer(file.get("quantidadePaginas")),
        size=byte_count(file.get("tamanho")),
        content_type=_file_type(file.get("tipo")),
        secrecy_level=text(item.get("nivelSigilo")),
        source_path=binary_path(_path_number(item, process_number), document_id),
    )


def _path_number(item: Json, process_number: str) -> str:
    """The case number in the document's own address, which can be that of a joined case; else the case's."""
    href = item.get("hrefBinario")
    match = _HREF.search(href) if isinstance(href, str) else None
    if match is not None:
        try:
            return cnj.parse(match[1])
        except cnj.InvalidProcessNumber:
            pass
    return process_number


def _filled(known: CaseDocument, other: CaseDocument) -> CaseDocument:
    missing = {
        field.name: getattr(other, field.name)
        for field in dataclasses.fields(known)
        if getattr(known, field.name) is None and getattr(other, field.name) is not None
    }
    return dataclasses.replace(known, **missing) if missing else known


def _file_type(value: object) -> str | None:
    """``APPLICATION_PDF`` as ``application/pdf``; None for a name whose parts cannot be told."""
    name = text(value, 100)
    if name is None:
        return None
    if re.fullmatch(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+", name):
        return name.lower()
    if name in _FILE_TYPES:
        return _FILE_TYPES[name]
    family, _, rest = name.partition("_")
    if family in _FAMILIES and re.fullmatch(r"[A-Z0-9]+", rest):
        return f"{family}/{rest}".lower()
    return None
