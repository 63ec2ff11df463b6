"""The ways in which the source's answers fail, and the rules that say which request gets which failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Target = Literal["case", "document", "last_update", "list", "search"]


class FailureKind(StrEnum):
    """One way in which an answer is not the one that was asked for; :mod:`autos.local.pdpj.catalogue` explains each."""

    # Refused, absent, failing.
    UNAUTHORIZED_TOKEN = "unauthorized_token"
    NO_ACCESS_401 = "no_access_401"
    NO_ACCESS_403 = "no_access_403"
    FIREWALL_403 = "firewall_403"
    NOT_FOUND_404 = "not_found_404"
    GATEWAY_404 = "gateway_404"
    GATEWAY_404_PAGE = "gateway_404_page"
    GATEWAY_404_JSON = "gateway_404_json"
    RATE_LIMIT = "rate_limit"
    ERROR_500 = "error_500"
    ERROR_500_CODEX = "error_500_codex"
    BAD_GATEWAY_502 = "bad_gateway_502"
    UNAVAILABLE_503 = "unavailable_503"
    TIMEOUT_504 = "timeout_504"
    NOT_READY_202 = "not_ready_202"
    REDIRECT_SAME_ORIGIN = "redirect_same_origin"
    REDIRECT_OTHER_ORIGIN = "redirect_other_origin"
    # A 200 that is something else.
    EMPTY_LIST = "empty_list"
    EMPTY_CONTENT = "empty_content"
    NULL_CONTENT = "null_content"
    JSON_ERROR = "json_error"
    SPA_SHELL = "spa_shell"
    FIREWALL_F5 = "firewall_f5"
    FIREWALL_INCAPSULA = "firewall_incapsula"
    FIREWALL_AKAMAI = "firewall_akamai"
    FIREWALL_CLOUDFLARE = "firewall_cloudflare"
    LOGIN_KEYCLOAK = "login_keycloak"
    LOGIN_GOV_BR = "login_gov_br"
    MAINTENANCE = "maintenance"
    # The right answer, oddly sent.
    EMPTY_BODY = "empty_body"
    SHORT_BODY = "short_body"
    SHORT_WITHOUT_LENGTH = "short_without_length"
    PDF_WITHOUT_END = "pdf_without_end"
    OTHER_CHARSET = "other_charset"
    UNKNOWN_ENCODING = "unknown_encoding"
    X_GZIP = "x_gzip"
    HEADER_BYTES = "header_bytes"
    DRIP = "drip"
    RESET = "reset"
    HANG = "hang"
    MALFORMED_LENGTHS = "malformed_lengths"
    MALFORMED_LENGTH = "malformed_length"
    MALFORMED_STATUS = "malformed_status"
    MALFORMED_HEADER = "malformed_header"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """Fail ``times`` requests of what it names (None: always), counted for each document apart.

    ``on``: the case (every question about it that is none of the others), its documents, the question for its last
    update, the data lake's list of its documents, the search for its number.

    ``document`` is ``"all"``, an index in the order of filing, or a document id. ``retry_after`` is seconds, or a text
    that is sent as it stands (a date). ``after_bytes``: a reset, a hang or a cut after so many bytes of the body.
    ``content_type`` replaces that of a page or of JSON that comes in place of what was asked for.
    """

    kind: FailureKind
    on: Target = "document"
    document: int | str = "all"
    times: int | None = None
    retry_after: float | str | None = None
    after_bytes: int | None = None
    content_type: str | None = None

    def names(self, index: int, document_id: str) -> bool:
        return self.document == "all" or self.document == index or self.document == document_id


class FailurePlan:
    """The rules of one case with what they have used up; the first rule that still applies wins."""

    def __init__(self, rules: Sequence[FailureRule]) -> None:
        self._rules = tuple(rules)
        self._used: dict[tuple[int, str], int] = {}

    def of(self, *targets: Target) -> FailureRule | None:
        """The failure of a question about the case itself, and count it."""
        for position, rule in enumerate(self._rules):
            if rule.on in targets and self._spend(position, rule, ""):
                return rule
        return None

    def for_document(self, index: int, document_id: str) -> FailureRule | None:
        """The failure of a read of one document, and count it."""
        for position, rule in enumerate(self._rules):
            if rule.on == "document" and rule.names(index, document_id) and self._spend(position, rule, document_id):
                return rule
        return None

    def _spend(self, position: int, rule: FailureRule, subject: str) -> bool:
        if rule.times is None:
            return True
        used = self._used.get((position, subject), 0)
        if used >= rule.times:
            return False
        self._used[position, subject] = used + 1
        return True
