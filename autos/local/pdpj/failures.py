"""The ways the source fails, and the rules that say which request gets which failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Target = Literal["case", "document", "last_update"]


class FailureKind(StrEnum):
    """One row of the table, or one part of it."""

    UNAUTHORIZED_TOKEN = "unauthorized_token"
    NO_ACCESS_401 = "no_access_401"
    NO_ACCESS_403 = "no_access_403"
    FIREWALL_403 = "firewall_403"
    RESET = "reset"
    NOT_FOUND_404 = "not_found_404"
    EMPTY_LIST = "empty_list"
    EMPTY_CONTENT = "empty_content"
    ERROR_500 = "error_500"
    SPA_SHELL = "spa_shell"
    RATE_LIMIT = "rate_limit"
    BAD_GATEWAY_502 = "bad_gateway_502"
    UNAVAILABLE_503 = "unavailable_503"
    TIMEOUT_504 = "timeout_504"
    HANG = "hang"
    SHORT_BODY = "short_body"
    EMPTY_BODY = "empty_body"
    MALFORMED_LENGTHS = "malformed_lengths"
    """Two Content-Lengths that differ."""
    MALFORMED_LENGTH = "malformed_length"
    """A Content-Length of letters."""
    MALFORMED_STATUS = "malformed_status"
    """A status line that is none."""
    MALFORMED_HEADER = "malformed_header"
    """A header without a colon."""
    DRIP = "drip"
    """One byte of the body a second."""


@dataclass(frozen=True, slots=True)
class FailureRule:
    """Fail ``times`` requests of what it names (None: always), counted for each document apart.

    ``on``: the case, its documents, or the question for its last update.

    ``document`` is ``"all"``, an index in the order of filing, or a document id. ``retry_after`` is seconds, or a text
    that is sent as it stands (a date). ``after_bytes``: a reset, a hang or a cut after so many bytes of the body.
    """

    kind: FailureKind
    on: Target = "document"
    document: int | str = "all"
    times: int | None = None
    retry_after: float | str | None = None
    after_bytes: int | None = None

    def names(self, index: int, document_id: str) -> bool:
        return self.document == "all" or self.document == index or self.document == document_id


class FailurePlan:
    """The rules of one case with what they have used up; the first rule that still applies wins."""

    def __init__(self, rules: Sequence[FailureRule]) -> None:
        self._rules = tuple(rules)
        self._used: dict[tuple[int, str], int] = {}

    def for_case(self) -> FailureRule | None:
        """The failure of a read of the case itself, and count it."""
        return self._for("case")

    def for_last_update(self) -> FailureRule | None:
        """The failure of a question for the case's last update, and count it."""
        return self._for("last_update")

    def _for(self, target: Target) -> FailureRule | None:
        for position, rule in enumerate(self._rules):
            if rule.on == target and self._spend(position, rule, ""):
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
