"""The odd ways in which the source shows a case: what can be switched on in its listings, and from which read on.

How the answers themselves fail is :mod:`autos.local.pdpj.failures`; :mod:`autos.local.pdpj.catalogue` explains each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class OddityKind(StrEnum):
    """One oddity of a listing."""

    # Of a document.
    NO_ADDRESS = "no_address"
    TEXT_ONLY = "text_only"
    ID_NOT_UUID = "id_not_uuid"
    HREF_ABSOLUTE = "href_absolute"
    HREF_OTHER_HOST = "href_other_host"
    HREF_FROM_ROOT = "href_from_root"
    HREF_WITHOUT_SLASH = "href_without_slash"
    HREF_WITH_QUERY = "href_with_query"
    HREF_IN_FILE = "href_in_file"
    NO_FILE = "no_file"
    FILE_LATE = "file_late"
    REPLACED = "replaced"
    SIZE_HINT = "size_hint"
    LISTED_AS_OTHER_TYPE = "listed_as_other_type"
    PAGES_KNOWN = "pages_known"
    SECRECY_NUMBER = "secrecy_number"
    SECRECY_UNKNOWN = "secrecy_unknown"
    TEXT_AS_JSON = "text_as_json"
    TEXT_WITH_CONTROLS = "text_with_controls"
    # Of a case.
    TWO_COURTS = "two_courts"
    DOCUMENTS_ON_CASE = "documents_on_case"
    DOCUMENTS_IN_BASICS = "documents_in_basics"
    DOCUMENTS_AS_OBJECT = "documents_as_object"
    LIST_EMPTY = "list_empty"
    LIST_BROKEN = "list_broken"
    LIST_AS_ARRAY = "list_as_array"
    CASE_SECRECY_WORD = "case_secrecy_word"
    CASE_SECRECY_UNKNOWN = "case_secrecy_unknown"
    DOCKET_SECRECY = "docket_secrecy"
    DATES_BRAZILIAN = "dates_brazilian"
    DATES_COMPACT = "dates_compact"
    DATES_EPOCH = "dates_epoch"
    DATES_ZONED = "dates_zoned"
    DATES_SPACED = "dates_spaced"
    MONEY_BRAZILIAN = "money_brazilian"
    MONEY_TEXT = "money_text"
    NULL_LISTS = "null_lists"


_FIRST_OF_A_CASE: Final = OddityKind.TWO_COURTS
_KINDS: Final = tuple(OddityKind)
OF_A_CASE: Final = frozenset(_KINDS[_KINDS.index(_FIRST_OF_A_CASE) :])
"""Those that are not about one document."""


@dataclass(frozen=True, slots=True)
class OddityRule:
    """``document`` is ``"all"``, an index in the order of filing, or a document id; a case's oddity has no use for it.

    It shows in reads of the case number ``after_reads`` (from 0) to ``until_reads`` (not included; None: for ever).
    """

    kind: OddityKind
    document: int | str = "all"
    after_reads: int = 0
    until_reads: int | None = None

    def names(self, index: int, document_id: str) -> bool:
        return self.document == "all" or self.document == index or self.document == document_id

    def shows(self, reads: int) -> bool:
        """Whether it shows in a read that comes after ``reads`` others."""
        return reads >= self.after_reads and (self.until_reads is None or reads < self.until_reads)


def of_case(rules: Iterable[OddityRule]) -> frozenset[OddityKind]:
    """The oddities of the case itself."""
    return frozenset(rule.kind for rule in rules if rule.kind in OF_A_CASE)


def of_document(rules: Iterable[OddityRule], index: int, document_id: str) -> frozenset[OddityKind]:
    """The oddities of one document."""
    return frozenset(rule.kind for rule in rules if rule.kind not in OF_A_CASE and rule.names(index, document_id))
