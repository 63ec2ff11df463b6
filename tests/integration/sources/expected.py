"""What the client makes of everything that the simulator can switch on (docs/reference/simulator.md)."""

from __future__ import annotations

from typing import Any, Final

from autos.local.pdpj.control import FailureKind, OddityKind
from shared.domain import cnj
from shared.domain.case import CaseDocument
from sources.base import CourtSource
from sources.content.judgement import Listed
from sources.errors import SourceError

NUMBER: Final = cnj.make(4200, 2024, 8, 26, 100)
SIZE: Final = 90_000
PDF: Final = f"binary application/pdf {SIZE}"

_NO_ACCESS: Final = "no_access permanent"
_AWAY: Final = "source_unavailable source_away"
_PAGE: Final = ("not_a_document retry", _AWAY)
_ROUTE: Final = ("source_route retry", "source_route retry")
_ABSENT: Final = ("document_not_found permanent", "process_not_found permanent")
_NO_HTTP: Final = ("unexpected_answer retry", "unexpected_answer retry")

# What becomes of a document, and of a case (None: it is not asked), when the answer to it fails in this way.
FAILURES: Final[dict[FailureKind, tuple[str, str | None]]] = {
    FailureKind.UNAUTHORIZED_TOKEN: ("token_rejected retry", "token_rejected retry"),
    FailureKind.NO_ACCESS_401: (_NO_ACCESS, _NO_ACCESS),
    FailureKind.NO_ACCESS_403: (_NO_ACCESS, _NO_ACCESS),
    FailureKind.FIREWALL_403: (_AWAY, _AWAY),
    FailureKind.NOT_FOUND_404: _ABSENT,
    FailureKind.GATEWAY_404: _ROUTE,
    FailureKind.GATEWAY_404_PAGE: _ROUTE,
    FailureKind.GATEWAY_404_JSON: _ROUTE,
    FailureKind.RATE_LIMIT: ("source_throttled source_away 2", "source_throttled source_away 2"),
    FailureKind.ERROR_500: ("source_error retry", "source_error retry"),
    FailureKind.ERROR_500_CODEX: ("source_error retry", None),
    FailureKind.BAD_GATEWAY_502: (f"{_AWAY} 2", f"{_AWAY} 2"),
    FailureKind.UNAVAILABLE_503: (f"{_AWAY} 2", f"{_AWAY} 2"),
    FailureKind.TIMEOUT_504: (f"{_AWAY} 2", f"{_AWAY} 2"),
    FailureKind.NOT_READY_202: ("not_ready retry 2", None),
    FailureKind.REDIRECT_SAME_ORIGIN: (PDF, "read"),
    FailureKind.REDIRECT_OTHER_ORIGIN: _NO_HTTP,
    FailureKind.EMPTY_LIST: _ABSENT,
    FailureKind.EMPTY_CONTENT: _ABSENT,
    FailureKind.NULL_CONTENT: _ABSENT,
    FailureKind.JSON_ERROR: ("unexpected_answer retry", "unexpected_answer retry"),
    FailureKind.SPA_SHELL: _PAGE,
    FailureKind.FIREWALL_F5: _PAGE,
    FailureKind.FIREWALL_INCAPSULA: _PAGE,
    FailureKind.FIREWALL_AKAMAI: _PAGE,
    FailureKind.FIREWALL_CLOUDFLARE: _PAGE,
    FailureKind.LOGIN_KEYCLOAK: _PAGE,
    FailureKind.LOGIN_GOV_BR: _PAGE,
    FailureKind.MAINTENANCE: _PAGE,
    FailureKind.EMPTY_BODY: ("empty_body retry", "case_unreadable retry"),
    FailureKind.SHORT_BODY: ("short_body retry", "short_body retry"),
    FailureKind.SHORT_WITHOUT_LENGTH: ("short_body retry", "case_unreadable retry"),
    FailureKind.PDF_WITHOUT_END: (f"{PDF} pdf_without_end, asked for again", None),
    FailureKind.OTHER_CHARSET: (f"binary text/html; charset=utf-8 {SIZE}", None),
    FailureKind.UNKNOWN_ENCODING: (PDF, "read"),
    FailureKind.X_GZIP: (PDF, "read"),
    FailureKind.HEADER_BYTES: (PDF, "read"),
    FailureKind.DRIP: (_AWAY, _AWAY),
    FailureKind.RESET: (_AWAY, _AWAY),
    FailureKind.HANG: (_AWAY, _AWAY),
    FailureKind.MALFORMED_LENGTHS: _NO_HTTP,
    FailureKind.MALFORMED_LENGTH: _NO_HTTP,
    FailureKind.MALFORMED_STATUS: _NO_HTTP,
    FailureKind.MALFORMED_HEADER: _NO_HTTP,
}
OTHER: Final = object()
"""Any value but the one without the oddity."""
_UNCHANGED: Final[dict[str, Any]] = {}
_TO_THE_SECOND: Final = {"filed_at": OTHER, "case_filed_at": OTHER}
_ONLY_LAKE: Final = (_UNCHANGED, {"unlisted": True})
TEXT: Final = "text text/plain; charset=utf-8 122"

# What an oddity changes in the facts of the case: in both interfaces, or in the portal and the data lake.
ODDITIES: Final[dict[OddityKind, dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]]] = {
    OddityKind.NO_ADDRESS: {"outcome": "no_address permanent", "id": OTHER, "source_id": None},
    OddityKind.TEXT_ONLY: ({"outcome": TEXT}, {"outcome": "document_not_found permanent"}),
    OddityKind.ID_NOT_UUID: {"id": OTHER, "source_id": OTHER},
    OddityKind.HREF_ABSOLUTE: _UNCHANGED,
    OddityKind.HREF_OTHER_HOST: _UNCHANGED,
    OddityKind.HREF_FROM_ROOT: _UNCHANGED,
    OddityKind.HREF_WITHOUT_SLASH: _UNCHANGED,
    OddityKind.HREF_WITH_QUERY: _UNCHANGED,
    OddityKind.HREF_IN_FILE: _UNCHANGED,
    OddityKind.NO_FILE: (
        {"size": None, "content_type": None},
        {"size": None, "content_type": None, "pages": None, "hash": None},
    ),
    OddityKind.FILE_LATE: (
        {"size": None, "content_type": None, "outcome": "document_not_found permanent"},
        {"size": None, "content_type": None, "outcome": "document_not_found permanent", "pages": None, "hash": None},
    ),
    OddityKind.REPLACED: _UNCHANGED,
    OddityKind.SIZE_HINT: {"size": 122_912, "outcome": f"{PDF} size_differs"},
    OddityKind.LISTED_AS_OTHER_TYPE: {
        "content_type": "text/html",
        "outcome": f"{PDF} type_differs, asked for again",
    },
    OddityKind.PAGES_KNOWN: ({"pages": 2}, _UNCHANGED),
    OddityKind.SECRECY_NUMBER: _UNCHANGED,
    OddityKind.SECRECY_UNKNOWN: {"secrecy": "RESTRITO_AO_GABINETE"},
    OddityKind.TEXT_AS_JSON: _UNCHANGED,
    OddityKind.TEXT_WITH_CONTROLS: _UNCHANGED,
    OddityKind.TWO_COURTS: (
        {"courts": {"TJSP", "STJ"}, "id": OTHER, "source_id": OTHER, "filed_at": OTHER},
        {"courts": {"TJSP", "STJ"}, "id": OTHER, "source_id": OTHER, "filed_at": OTHER, "hash": OTHER},
    ),
    OddityKind.DOCUMENTS_ON_CASE: _UNCHANGED,
    OddityKind.DOCUMENTS_IN_BASICS: _UNCHANGED,
    OddityKind.DOCUMENTS_AS_OBJECT: _UNCHANGED,
    OddityKind.LIST_EMPTY: _ONLY_LAKE,
    OddityKind.LIST_BROKEN: _ONLY_LAKE,
    OddityKind.LIST_AS_ARRAY: _UNCHANGED,
    OddityKind.CASE_SECRECY_WORD: _UNCHANGED,
    OddityKind.CASE_SECRECY_UNKNOWN: {"case_secrecy": 5},
    OddityKind.DOCKET_SECRECY: {"case_secrecy": 3},
    OddityKind.DATES_BRAZILIAN: _TO_THE_SECOND,
    OddityKind.DATES_COMPACT: _TO_THE_SECOND,
    OddityKind.DATES_EPOCH: _UNCHANGED,
    OddityKind.DATES_ZONED: _UNCHANGED,
    OddityKind.DATES_SPACED: _TO_THE_SECOND,
    OddityKind.MONEY_BRAZILIAN: _UNCHANGED,
    OddityKind.MONEY_TEXT: _UNCHANGED,
    OddityKind.NULL_LISTS: _UNCHANGED,
}


def told(error: SourceError) -> str:
    wait = "" if error.retry_after is None else f" {error.retry_after:g}"
    return f"{error.code} {error.verdict}{wait}"


async def outcome_of(source: CourtSource, document: CaseDocument) -> str:
    """How fetching the document ends, with the warnings that it would carry."""
    listed = Listed(document.content_type, document.size, document.rendition)
    try:
        async with source.open_document(document.source_path or "", listed) as stream:
            size = len(b"".join([piece async for piece in stream.aiter_bytes()]))
    except SourceError as error:
        return told(error)
    warnings = "".join(f" {warning}" for warning in stream.judgement.warnings)
    again = ", asked for again" if stream.judgement.doubtful else ""
    return f"{document.rendition} {stream.content_type} {size}{warnings}{again}"
