"""The source's addresses: which request is which read."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from shared.domain.cnj import InvalidProcessNumber, ProcessNumber, parse

PORTAL_ROOT: Final = "/portal/api/v2/processos"
LAKE_ROOT: Final = "/datalake/processo-api/api/v1/processos"
LAKE_HOST: Final = "/datalake/"
FILES_ROOT: Final = "/datalake/arquivos-temporarios/"
"""Where the temporary addresses of ``binario-url`` lead; they want no token."""


class Read(StrEnum):
    """What a request reads; the value is the route's name in the counters."""

    PORTAL_CASE = "portal.case"
    PORTAL_SEARCH = "portal.search"
    PORTAL_DOCUMENT = "portal.document"
    PORTAL_TEXT = "portal.text"
    DATA_LAKE_CASE = "datalake.case"
    DATA_LAKE_SEARCH = "datalake.search"
    DATA_LAKE_DOCUMENTS = "datalake.documents"
    DATA_LAKE_MOVEMENTS = "datalake.movements"
    DATA_LAKE_PARTIES = "datalake.parties"
    DATA_LAKE_DOCUMENT = "datalake.document"
    DATA_LAKE_DOCUMENT_URL = "datalake.document_url"
    DATA_LAKE_FILE = "datalake.file"
    DATA_LAKE_TEXT = "datalake.text"
    DATA_LAKE_EXISTS = "datalake.exists"
    DATA_LAKE_ACCESS = "datalake.access"
    DATA_LAKE_LAST_UPDATE = "datalake.last_update"

    @property
    def of_lake(self) -> bool:
        return self.value.startswith("datalake.")


CONTENT: Final = frozenset({Read.PORTAL_DOCUMENT, Read.DATA_LAKE_DOCUMENT, Read.DATA_LAKE_FILE})
TEXT: Final = frozenset({Read.PORTAL_TEXT, Read.DATA_LAKE_TEXT})
SEARCH: Final = frozenset({Read.PORTAL_SEARCH, Read.DATA_LAKE_SEARCH})
CASE: Final = frozenset({Read.PORTAL_CASE, Read.DATA_LAKE_CASE})

_OF_DOCUMENT: Final = {
    (True, "binario"): Read.PORTAL_DOCUMENT,
    (True, "texto"): Read.PORTAL_TEXT,
    (False, "binario"): Read.DATA_LAKE_DOCUMENT,
    (False, "texto"): Read.DATA_LAKE_TEXT,
    (False, "binario-url"): Read.DATA_LAKE_DOCUMENT_URL,
}
_OF_LAKE_CASE: Final = {
    "documentos": Read.DATA_LAKE_DOCUMENTS,
    "movimentos": Read.DATA_LAKE_MOVEMENTS,
    "partes": Read.DATA_LAKE_PARTIES,
    "existe": Read.DATA_LAKE_EXISTS,
    "possui-acesso": Read.DATA_LAKE_ACCESS,
}


class Address(NamedTuple):
    """A read with the case number and the document id as they stand in the path."""

    read: Read
    number: str
    document_id: str


def address_of(method: str, path: str) -> Address | None:
    """None when no API of the source has this address."""
    if path.startswith(PORTAL_ROOT):
        rest, portal = path[len(PORTAL_ROOT) :].split("/"), True
    elif path.startswith(LAKE_ROOT):
        rest, portal = path[len(LAKE_ROOT) :].split("/"), False
    elif path.startswith(FILES_ROOT):
        found = path[len(FILES_ROOT) :].split("/")
        is_file = len(found) == 2 and method == "GET"
        return Address(Read.DATA_LAKE_FILE, found[0], unquote(found[1])) if is_file else None
    else:
        return None
    match rest:
        case [""] if method == "GET":
            return Address(Read.PORTAL_SEARCH if portal else Read.DATA_LAKE_SEARCH, "", "")
        case ["", number] if number and method == "GET":
            return Address(Read.PORTAL_CASE if portal else Read.DATA_LAKE_CASE, number, "")
        case ["", number, "documentos", document_id, form] if method == "GET" and (portal, form) in _OF_DOCUMENT:
            return Address(_OF_DOCUMENT[portal, form], number, unquote(document_id))
        case ["", number, what] if not portal and method == "GET" and what in _OF_LAKE_CASE:
            return Address(_OF_LAKE_CASE[what], number, "")
        case ["", number, "ultima-atualizacao"] if not portal and method in ("HEAD", "GET"):
            return Address(Read.DATA_LAKE_LAST_UPDATE, number, "")
        case _:
            return None


@lru_cache(maxsize=8192)
def number_in(text: str) -> ProcessNumber | None:
    """The case number in a path, with its mask or without; None when it is not one."""
    try:
        return parse(text)
    except InvalidProcessNumber:
        return None
