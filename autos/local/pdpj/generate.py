"""From a case number (and what was set for it) to a case: always the same one.

Document ``i`` depends on the number and on ``i`` only, so a case that grows keeps what it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from autos.local.pdpj.control_model import CaseSetting, ExplicitDocument
from autos.local.pdpj.courts import court_of
from autos.local.pdpj.dice import Dice
from autos.local.pdpj.model import SECRECY, ContentKind, Docket, FiledDocument, Movement, Related, SourceCase
from autos.local.pdpj.oddities import OddityKind, OddityRule, of_case, of_document
from autos.local.pdpj.people import parties, person_name
from autos.local.pdpj.vocabulary import (
    APPEAL_CLASSES,
    CLASSES,
    DOCUMENT_TYPES,
    MOVEMENTS,
    OPENING_TYPE,
    PANELS,
    RELATIONS,
    SUBJECTS,
    UNITS,
    Coded,
)
from shared.domain.cnj import ProcessNumber, make

_DEFAULT_SIZE = (8_000, 400_000)
_KINDS = (ContentKind.PDF,) * 14 + (
    ContentKind.HTML,
    ContentKind.HTML,
    ContentKind.HTML_LATIN1,
    ContentKind.JPEG,
    ContentKind.PNG,
    ContentKind.MP4,
)
_FIRST_YEAR, _LAST_YEAR = 1990, 2025  # a case's dates must be dates that a client accepts, whatever its number says


def generate(
    number: ProcessNumber, setting: CaseSetting, extra_documents: int = 0, oddities: Sequence[OddityRule] = ()
) -> SourceCase:
    """The case of this number, with ``extra_documents`` filed since (growth), shown with these oddities."""
    dice = Dice(f"case {number}")
    year = min(max(number.year, _FIRST_YEAR), _LAST_YEAR)
    filed_at = datetime(year, 1, 1)  # noqa: DTZ001 - the source's timestamps are naive
    filed_at += timedelta(days=dice.below(150), seconds=dice.below(86_400), milliseconds=dice.between(1, 999))
    degrees = setting.degrees or (2 if dice.chance(50) else 1)
    appeal_is_current = dice.chance(60)
    default_count = dice.between(3, 40)
    dice.below(10)  # what once decided about secrecy: the draws behind it stay those of their case
    secrecy_level = setting.secrecy_level or 0
    explicit = setting.documents if isinstance(setting.documents, list) else []
    if isinstance(setting.documents, list):
        count = len(setting.documents)
    else:
        count = default_count if setting.documents is None else setting.documents
    documents = _documents(number, setting, explicit, count + extra_documents, degrees, filed_at)
    if oddities:
        documents = tuple(_made_odd(document, oddities) for document in documents)

    classes = {1: dice.pick(CLASSES), 2: dice.pick(APPEAL_CLASSES)}
    units = {
        1: Coded(dice.between(1000, 9999), dice.pick(UNITS)),
        2: Coded(dice.between(1000, 9999), dice.pick(PANELS)),
    }
    last_update = max((document.filed_at for document in documents), default=filed_at)
    current_degree = 2 if degrees == 2 and appeal_is_current else 1
    dockets = {}
    for degree in range(1, degrees + 1):
        own = tuple(document for document in documents if document.degree == degree)
        opened = own[0].filed_at if degree == 2 and own else filed_at
        movements = _movements(number, degree, opened, own)
        distributed = last_update if degrees == 2 and degree == current_degree else opened
        dockets[degree] = Docket(degree, opened, units[degree], classes[degree], own, movements, distributed)
    current = dockets.pop(current_degree)
    return SourceCase(
        number=number,
        court=court_of(number),
        secrecy_level=secrecy_level,
        claim_value=dice.between(100_000, 90_000_000) / 100,
        subjects=tuple({dice.pick(SUBJECTS): None for _ in range(dice.between(1, 3))}),
        parties=parties(dice),
        current=current,
        others=tuple(dockets.values()),
        documents=documents,
        last_update=last_update,
        by_id={document.source_id: document for document in documents},
        related=_related(number),
        oddities=of_case(oddities),
    )


def _documents(
    number: ProcessNumber,
    setting: CaseSetting,
    explicit: list[ExplicitDocument],
    count: int,
    degrees: int,
    filed_at: datetime,
) -> tuple[FiledDocument, ...]:
    documents: list[FiledDocument] = []
    per_degree = {1: 0, 2: 0}
    first_filings: list[FiledDocument] = []
    for index in range(count):
        wanted = explicit[index] if index < len(explicit) else None
        document = _document(number, setting, wanted, index, degrees, filed_at, per_degree, first_filings)
        per_degree[document.degree] += 1
        if document.degree == 1:
            first_filings.append(document)
        documents.append(document)
    return tuple(documents)


def _made_odd(document: FiledDocument, rules: Sequence[OddityRule]) -> FiledDocument:
    kinds = of_document(rules, document.index, document.document_id)
    if not kinds:
        return document
    odd = replace(document, oddities=kinds)
    if kinds & {OddityKind.NO_FILE, OddityKind.FILE_LATE}:
        odd = replace(odd, described=False)
    if OddityKind.REPLACED in kinds:
        later = odd.filed_at + timedelta(hours=1)
        odd = replace(odd, version=1, size=odd.size + 1 + odd.size // 10, filed_at=later)
    return odd


def _document(
    number: ProcessNumber,
    setting: CaseSetting,
    wanted: ExplicitDocument | None,
    index: int,
    degrees: int,
    opened: datetime,
    per_degree: dict[int, int],
    first_filings: list[FiledDocument],
) -> FiledDocument:
    dice = Dice(f"document {number} {index}")
    document_id = str(dice.uuid())
    degree = 2 if degrees == 2 and index >= 2 and dice.chance(40) else 1
    sequence = per_degree[degree] + 1
    twin_of = dice.pick(first_filings) if degree == 2 and wanted is None and first_filings and dice.chance(20) else None
    if twin_of is not None:
        return FiledDocument(
            index=index,
            document_id=document_id,
            filing_id=twin_of.filing_id,
            degree=degree,
            sequence=sequence,
            filed_at=_filing_time(opened, index, dice),
            name=twin_of.name,
            type_name=twin_of.type_name,
            type_code=twin_of.type_code,
            secrecy=twin_of.secrecy,
            kind=twin_of.kind,
            content_type=twin_of.content_type,
            size=twin_of.size,
            pages=twin_of.pages,
            described=twin_of.described,
        )
    kind = (wanted and wanted.kind) or setting.kind or dice.pick(_KINDS)
    size = (wanted and wanted.size) or _size(setting, dice)
    document_type = OPENING_TYPE if index == 0 else dice.pick(DOCUMENT_TYPES)
    name = dice.pick(document_type.titles).format(person_name(dice))
    if wanted is not None and wanted.document_id is not None:
        document_id = str(wanted.document_id)
    return FiledDocument(
        index=index,
        document_id=document_id,
        filing_id=document_id,
        degree=degree,
        sequence=sequence,
        filed_at=_filing_time(opened, index, dice),
        name=name if wanted is None or wanted.name is None else wanted.name,
        type_name=document_type.name,
        type_code=None if dice.chance(15) else document_type.code,
        secrecy=(wanted and wanted.secrecy) or _secrecy(dice, setting.sealed_percent),
        kind=kind,
        content_type=(wanted and wanted.served_as) or kind.content_type,
        size=size,
        pages=max(1, size // 40_000) if kind is ContentKind.PDF else None,
        described=wanted.described if wanted is not None else not dice.chance(10),
    )


def _filing_time(opened: datetime, index: int, dice: Dice) -> datetime:
    """Rises with the index: about daily at first, by the quarter of an hour in very large cases."""
    hours = min(index, 200) * 20
    minutes = max(0, index - 200) * 17 + dice.below(16)
    drawn = dice.between(1, 999)
    filed_at = opened + timedelta(hours=hours, minutes=minutes, milliseconds=drawn)
    return filed_at.replace(microsecond=0) if drawn % 8 == 0 else filed_at


def _size(setting: CaseSetting, dice: Dice) -> int:
    match setting.size:
        case None:
            return dice.between(*_DEFAULT_SIZE)
        case int(size):
            return size
        case low, high:
            return dice.between(min(low, high), max(low, high))


def _secrecy(dice: Dice, sealed_percent: int) -> str:
    return SECRECY[0] if not dice.chance(sealed_percent) else dice.pick(SECRECY[1:])


def _movements(
    number: ProcessNumber, degree: int, opened: datetime, documents: tuple[FiledDocument, ...]
) -> tuple[Movement, ...]:
    dice = Dice(f"movements {number} {degree}")
    facts: list[tuple[datetime, Coded, str | None]] = [(opened, MOVEMENTS[0], None)]
    for document in documents[:200]:  # the source's list of movements does not grow with every page of a huge case
        facts.append((document.filed_at, dice.pick(MOVEMENTS[1:]), document.source_id))
    return tuple(Movement(position, at, kind, document) for position, (at, kind, document) in enumerate(facts, 1))


def _related(number: ProcessNumber) -> tuple[Related, ...]:
    """One case in four belongs with another of its court."""
    dice = Dice(f"related {number}")
    if not dice.chance(25):
        return ()
    other = make(dice.below(9_999_999), number.year, int(number.segment), int(number.court), int(number.digits[-4:]))
    return (Related(str(other), dice.pick(RELATIONS), dice.pick(CLASSES)),)
