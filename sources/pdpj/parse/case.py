"""The source's JSON (docs/reference/pdpj.md, "Facts") turned into a Case: pure, for the portal and the data lake.

Tolerant where the source is known to leave things out; where it breaks its shape, UnexpectedAnswer says how, without
a word of the answer itself. Nothing else is ever raised, whatever the JSON.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from shared.clock import rfc3339
from shared.domain import cnj
from shared.domain.case import Case
from sources.pdpj.parse.bounds import DEFAULT_LIMITS, MOVEMENT_TEXT, NAME_TEXT, SHORT_TEXT, CaseLimits, LeftOutCounts
from sources.pdpj.parse.documents import Listing, read_documents
from sources.pdpj.parse.elements import elements_of, is_whole, list_of_documents
from sources.pdpj.parse.fields import as_dict, as_list, first, money, text
from sources.pdpj.parse.secrecy import strictest
from sources.pdpj.parse.timestamps import timestamp

Json = dict[str, Any]
_T = TypeVar("_T")

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def parse_portal_case(body: bytes, process_number: str, limits: CaseLimits = DEFAULT_LIMITS) -> Case:
    """``GET /api/v2/processos/{n}``. Raises ProcessNotFound and UnexpectedAnswer."""
    return _case(elements_of(body, process_number), process_number, Listing(None), limits, unlisted=False)


def parse_data_lake_case(
    body: bytes, documents_body: bytes | None, process_number: str, limits: CaseLimits = DEFAULT_LIMITS
) -> Case:
    """``GET /processo-api/api/v1/processos/{n}`` and ``.../documentos`` (None: there is no list).

    A list that cannot be read costs nothing but itself: what the case lists counts as well. Raises ProcessNotFound and
    UnexpectedAnswer.
    """
    elements = elements_of(body, process_number)
    listed = list_of_documents(documents_body, process_number)
    return _case(elements, process_number, Listing(listed), limits, unlisted=not is_whole(listed))


def _dockets_of(element: Json) -> list[Json]:
    """The current one first; where the source does not say which it is, the one distributed last. Stable otherwise."""
    current = [docket for docket in as_list(element.get("tramitacaoAtual")) if isinstance(docket, dict) and docket]
    others = [docket for docket in as_list(element.get("tramitacoes")) if isinstance(docket, dict)]
    if current or not others:
        return [*current, *others]
    latest = max(others, key=_distributed_at)
    return [latest, *(docket for docket in others if docket is not latest)]


def _distributed_at(docket: Json) -> datetime:
    return (
        timestamp(docket.get("dataHoraUltimaDistribuicao")) or timestamp(docket.get("dataHoraAjuizamento")) or _LONG_AGO
    )


def _case(elements: Sequence[Json], process_number: str, apart: Listing, limits: CaseLimits, *, unlisted: bool) -> Case:
    left_out = LeftOutCounts()
    dockets = [docket for element in elements for docket in _dockets_of(element)]
    basics = [as_dict(element.get("dadosBasicos")) for element in elements]
    # What the current docket leaves out may be said elsewhere.
    objects = [*dockets, *basics, *elements]
    documents = read_documents(_listings(elements, apart), process_number)
    return Case(
        process_number=process_number,
        court=_first(court_of(element, docket) for element in elements for docket in (*_dockets_of(element), {})),
        degree=_first(map(degree_of, objects)),
        class_=_first(_named(first(docket.get("classe")), SHORT_TEXT) for docket in objects),
        subjects=_subjects(objects, limits, left_out),
        parties=_parties(objects, limits, left_out),
        filed_at=_first(timestamp(docket.get("dataHoraAjuizamento")) for docket in objects),
        claim_value=next((found for docket in objects if (found := money(docket.get("valorAcao"))) is not None), None),
        secrecy_level=strictest(docket.get("nivelSigilo") for docket in objects),
        movements=_movements([*dockets, *elements], limits, left_out),
        documents=list(left_out.first("documents", documents, limits.documents)),
        unlisted=unlisted,
        related=_related(objects, process_number, limits),
        left_out=dict(left_out),
    )


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value), None)


def _listings(elements: Sequence[Json], apart: Listing) -> Iterator[Listing]:
    """Every place that lists documents. Those of the dockets come first, since they say of which degree they are."""
    for element in elements:
        dockets = _dockets_of(element)
        for docket in dockets:
            yield Listing(
                docket.get("documentos"), court_of(element, docket), degree_of(docket), _short(docket.get("instancia"))
            )
        # Of one docket, or of none that could be told.
        only = dockets[0] if len(dockets) == 1 else {}
        place = (court_of(element, only), degree_of(only), _short(only.get("instancia")))
        yield Listing(element.get("documentos"), *place)
        yield Listing(as_dict(element.get("dadosBasicos")).get("documentos"), *place)
        if len(elements) == 1:
            yield Listing(apart.items, *place)
    if len(elements) != 1:
        yield apart


def court_of(element: Json, docket: Json) -> str | None:
    """The court that the docket names, else the case's."""
    return (
        _short(as_dict(docket.get("tribunal")).get("sigla"))
        or _short(docket.get("siglaTribunal"))
        or _short(element.get("siglaTribunal"))
        or _short(as_dict(element.get("tribunal")).get("sigla"))
    )


def degree_of(docket: Json) -> str | None:
    """From what there is: the data lake has no ``grau``, only ``instancia``."""
    grade = docket.get("grau")
    return (
        _short(as_dict(grade).get("sigla"))
        or _short(grade)
        or _short(as_dict(grade).get("nome"))
        or _short(docket.get("instancia"))
    )


def _related(dockets: Sequence[Json], process_number: str, limits: CaseLimits) -> list[Json]:
    """The cases that this one belongs with, each once."""
    found: dict[str, Json] = {}
    for docket in dockets:
        for item in as_list(docket.get("processosRelacionados")):
            other = as_dict(item)
            number = _number(text(other.get("numeroProcesso")) or text(other.get("href")) or "")
            if number is not None and number != process_number:
                kind = _short(other.get("tipoRelacao")) or _short(as_dict(other.get("tipoRelacao")).get("nome"))
                shown = {
                    "process_number": number,
                    "relation": kind,
                    "class": _named(as_dict(other.get("classe")), SHORT_TEXT),
                }
                found.setdefault(number, shown)
    return list(found.values())[: limits.subjects]


def _number(written: str) -> str | None:
    try:
        return cnj.parse(written.rpartition("/")[2])
    except cnj.InvalidProcessNumber:
        return None


def _short(value: object) -> str | None:
    return text(value, SHORT_TEXT)


def _named(item: Json, limit: int) -> str | None:
    return text(item.get("descricao"), limit) or text(item.get("nome"), limit)


def _subjects(dockets: Sequence[Json], limits: CaseLimits, left_out: LeftOutCounts) -> list[Json]:
    shown = []
    for item in left_out.first("subjects", _said_by_one(dockets, "assunto"), limits.subjects):
        subject = as_dict(item)
        code, description = _short(subject.get("codigo")), _named(subject, NAME_TEXT)
        if code is not None or description is not None:
            shown.append({"code": code, "description": description})
    return shown


def _parties(dockets: Sequence[Json], limits: CaseLimits, left_out: LeftOutCounts) -> list[Json]:
    shown = []
    for item in left_out.first("parties", _said_by_one(dockets, "partes"), limits.parties):
        party = as_dict(item)
        name = text(party.get("nome"), NAME_TEXT)
        if name is None:
            continue
        listed = left_out.first("representatives", as_list(party.get("representantes")), limits.representatives)
        lawyers = [(text(as_dict(lawyer).get("nome"), NAME_TEXT), as_dict(lawyer)) for lawyer in listed]
        shown.append(
            {
                "name": name,
                "role": _short(party.get("tipoParte")),
                "pole": _short(party.get("polo")),
                "representatives": [
                    {"name": known, "role": _short(lawyer.get("tipoRepresentacao"))}
                    for known, lawyer in lawyers
                    if known is not None
                ],
            }
        )
    return shown


def _said_by_one(dockets: Sequence[Json], name: str) -> list[Any]:
    """The list of the first docket that has one: it is not of several degrees at once."""
    return next((found for docket in dockets if (found := as_list(docket.get(name)))), [])


def _movements(dockets: Sequence[Json], limits: CaseLimits, left_out: LeftOutCounts) -> list[Json]:
    """The movements of every degree, newest first; those without a time last. Too many are cut to the newest."""
    found = [
        (timestamp(movement.get("dataHora")), movement)
        for docket in dockets
        for movement in as_list(docket.get("movimentos"))
        if isinstance(movement, dict)
    ]
    left_out.add("movements", len(found) - limits.movements)
    # As sorted(..., reverse=True)[:limit]: equal times stay in the source's order.
    newest = heapq.nlargest(limits.movements, found, key=lambda entry: entry[0] or _LONG_AGO)
    shown = []
    for at, movement in newest:
        kind = as_dict(movement.get("tipo"))
        # The data lake keeps the code of the national table as the type's id.
        code = _short(movement.get("codigo")) or _short(kind.get("codigo")) or _short(kind.get("id"))
        description = _named(movement, MOVEMENT_TEXT) or _named(kind, MOVEMENT_TEXT)
        if at is not None or code is not None or description is not None:
            shown.append({"at": None if at is None else rfc3339(at), "code": code, "description": description})
    return shown
