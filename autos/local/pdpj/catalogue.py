"""Everything that can be switched on for a case, with one line each: ``GET /_control/oddities``.

docs/reference/simulator.md has the same table; a test holds the two together.
"""

from __future__ import annotations

from typing import Final, Literal

from autos.local.pdpj.control_model import Switch
from autos.local.pdpj.failures import FailureKind
from autos.local.pdpj.oddities import OddityKind

_EVERY: Final = "case, document, list, search, last_update"
_PAGE_OR: Final = "case, document, list, search"
_DOCUMENT: Final = "document"
_CASE: Final = "case"

_F = FailureKind
_O = OddityKind

_FAILURES: Final[dict[FailureKind, tuple[str, str]]] = {
    _F.UNAUTHORIZED_TOKEN: (_EVERY, "401: the token is not taken"),
    _F.NO_ACCESS_401: (_EVERY, '401 that says "não possui acesso": no standing, the token is good'),
    _F.NO_ACCESS_403: (_EVERY, "403 with the same words"),
    _F.FIREWALL_403: (_EVERY, "403 with a firewall's page"),
    _F.NOT_FOUND_404: (_EVERY, "404 in the platform's JSON: the thing is not there, also where the case lists it"),
    _F.GATEWAY_404: (_EVERY, "404 in plain text: a gateway lacks the route"),
    _F.GATEWAY_404_PAGE: (_EVERY, "404 in HTML: a gateway lacks the route"),
    _F.GATEWAY_404_JSON: (_EVERY, "404 in a gateway's JSON, which speaks of a route"),
    _F.RATE_LIMIT: (_EVERY, "429, with Retry-After where retry_after is set"),
    _F.ERROR_500: (_EVERY, "500 with a JSON message; of the lake's case it can also mean that there is no such case"),
    _F.ERROR_500_CODEX: (_DOCUMENT, "500 with a JSON message about Codex: the court's system failed for this document"),
    _F.BAD_GATEWAY_502: (_EVERY, "502 with a page"),
    _F.UNAVAILABLE_503: (_EVERY, "503 with a page, with Retry-After where retry_after is set"),
    _F.TIMEOUT_504: (_EVERY, "504 with a page"),
    _F.NOT_READY_202: (_DOCUMENT, "202: the file is being fetched, come again after retry_after"),
    _F.REDIRECT_SAME_ORIGIN: (_PAGE_OR, "302 to an address of the same origin that has it"),
    _F.REDIRECT_OTHER_ORIGIN: (_PAGE_OR, "302 to another origin"),
    _F.EMPTY_LIST: (_PAGE_OR, "200 with []"),
    _F.EMPTY_CONTENT: (_PAGE_OR, '200 with {"content": []}'),
    _F.NULL_CONTENT: (_PAGE_OR, '200 with {"content": null, "numberOfElements": 0}: an empty page'),
    _F.JSON_ERROR: (_PAGE_OR, "200 with a JSON error; content_type says another type of it"),
    _F.SPA_SHELL: (_PAGE_OR, "200 with the portal's shell page"),
    _F.FIREWALL_F5: (_PAGE_OR, "200 with the page of an F5 firewall; content_type says another type of it"),
    _F.FIREWALL_INCAPSULA: (_PAGE_OR, "200 with Imperva Incapsula's page"),
    _F.FIREWALL_AKAMAI: (_PAGE_OR, "200 with Akamai's page"),
    _F.FIREWALL_CLOUDFLARE: (_PAGE_OR, "200 with Cloudflare's challenge"),
    _F.LOGIN_KEYCLOAK: (_PAGE_OR, "200 with Keycloak's log-in page"),
    _F.LOGIN_GOV_BR: (_PAGE_OR, "200 with gov.br's log-in page"),
    _F.MAINTENANCE: (_PAGE_OR, "200 with a maintenance page"),
    _F.EMPTY_BODY: (_PAGE_OR, "200 without a byte"),
    _F.SHORT_BODY: (_PAGE_OR, "ends before its Content-Length, in the middle or after after_bytes"),
    _F.SHORT_WITHOUT_LENGTH: (_PAGE_OR, "ends early (after_bytes, or half) and promises no length"),
    _F.PDF_WITHOUT_END: (_DOCUMENT, "a PDF of its whole size whose %%EOF is missing"),
    _F.OTHER_CHARSET: (_DOCUMENT, "HTML whose header says another charset than the bytes obey"),
    _F.UNKNOWN_ENCODING: (_PAGE_OR, "Content-Encoding: UTF-8, which is none"),
    _F.X_GZIP: (_PAGE_OR, "Content-Encoding: x-gzip, and compressed so"),
    _F.HEADER_BYTES: (_EVERY, "a header with bytes above 127"),
    _F.DRIP: (_PAGE_OR, "one byte of the body a second"),
    _F.RESET: (_EVERY, "the connection is reset, at once or after after_bytes"),
    _F.HANG: (_EVERY, "nothing more comes, from the beginning or after after_bytes"),
    _F.MALFORMED_LENGTHS: (_EVERY, "two Content-Lengths that differ"),
    _F.MALFORMED_LENGTH: (_EVERY, "a Content-Length of letters"),
    _F.MALFORMED_STATUS: (_EVERY, "a status line that is none"),
    _F.MALFORMED_HEADER: (_EVERY, "a header without a colon"),
}

_ODDITIES: Final[dict[OddityKind, tuple[str, str]]] = {
    _O.NO_ADDRESS: (_DOCUMENT, "listed without an address (portal: no href, lake: no id)"),
    _O.TEXT_ONLY: (_DOCUMENT, "a text and no file: no hrefBinario, /binario answers 404"),
    _O.ID_NOT_UUID: (_DOCUMENT, "its id is a number in a text"),
    _O.HREF_ABSOLUTE: (_DOCUMENT, "portal: hrefs with scheme and host of the source"),
    _O.HREF_OTHER_HOST: (_DOCUMENT, "portal: hrefs with another host"),
    _O.HREF_FROM_ROOT: (_DOCUMENT, "portal: hrefs from the root of the host"),
    _O.HREF_WITHOUT_SLASH: (_DOCUMENT, "portal: hrefs without the first slash"),
    _O.HREF_WITH_QUERY: (_DOCUMENT, "portal: hrefs with ?numeroProcesso=…&idDocumento=…"),
    _O.HREF_IN_FILE: (_DOCUMENT, "portal: hrefs inside of arquivo"),
    _O.NO_FILE: (_DOCUMENT, "arquivo is missing, as of what was just filed"),
    _O.FILE_LATE: (
        _DOCUMENT,
        "no arquivo, and 404 for its content; from the second read of the case on both are there",
    ),
    _O.REPLACED: (
        _DOCUMENT,
        "from the second read on another file under the same id: other bytes, size and filing time",
    ),
    _O.SIZE_HINT: (_DOCUMENT, "tamanho is 122912, whatever the size is"),
    _O.LISTED_AS_OTHER_TYPE: (_DOCUMENT, "arquivo.tipo is HTML for a PDF, PDF for anything else"),
    _O.PAGES_KNOWN: (_DOCUMENT, "portal: quantidadePaginas is the true one in place of 0"),
    _O.SECRECY_NUMBER: (_DOCUMENT, "nivelSigilo of the document is a number"),
    _O.SECRECY_UNKNOWN: (_DOCUMENT, "nivelSigilo of the document is a word that nobody knows"),
    _O.TEXT_AS_JSON: (_DOCUMENT, "/texto answers a JSON string, as declared"),
    _O.TEXT_WITH_CONTROLS: (_DOCUMENT, "the text has NUL and SUB characters"),
    _O.TWO_COURTS: (_CASE, "two elements for one number: the later half of the documents is another court's"),
    _O.DOCUMENTS_ON_CASE: (_CASE, "the documents are listed by the case, and not by its dockets"),
    _O.DOCUMENTS_IN_BASICS: (_CASE, "the documents are in dadosBasicos.documentos"),
    _O.DOCUMENTS_AS_OBJECT: (_CASE, "documentos is an object with the array inside"),
    _O.LIST_EMPTY: (_CASE, "lake: the list of documents is empty, the case lists them"),
    _O.LIST_BROKEN: (_CASE, "lake: the list of documents breaks off"),
    _O.LIST_AS_ARRAY: (_CASE, "lake: the list of documents is a bare array"),
    _O.CASE_SECRECY_WORD: (_CASE, "nivelSigilo of the case is a word"),
    _O.CASE_SECRECY_UNKNOWN: (_CASE, "nivelSigilo of the case is a word that nobody knows"),
    _O.DOCKET_SECRECY: (_CASE, "a docket is sealed (level 3), the case is not"),
    _O.DATES_BRAZILIAN: (_CASE, "times as 25/07/2024 17:05:54"),
    _O.DATES_COMPACT: (_CASE, "times as 20240725170554"),
    _O.DATES_EPOCH: (_CASE, "times as milliseconds since 1970"),
    _O.DATES_ZONED: (_CASE, "times with an offset"),
    _O.DATES_SPACED: (_CASE, "times with a space in place of the T"),
    _O.MONEY_BRAZILIAN: (_CASE, 'valorAcao as "1.234,56"'),
    _O.MONEY_TEXT: (_CASE, 'valorAcao as "1234.56"'),
    _O.NULL_LISTS: (_CASE, "empty lists are null"),
}

_Set = Literal["failures", "oddities"]


def _switches(
    set_in: _Set, entries: dict[FailureKind, tuple[str, str]] | dict[OddityKind, tuple[str, str]]
) -> list[Switch]:
    return [Switch(name=kind.value, set_in=set_in, about=about, line=line) for kind, (about, line) in entries.items()]


SWITCHES: Final = (*_switches("failures", _FAILURES), *_switches("oddities", _ODDITIES))
