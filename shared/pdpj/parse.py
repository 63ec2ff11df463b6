"""The source's JSON (docs/architecture.md, section 9) turned into a Case: pure, for the portal and the data lake.

Tolerant where the source is known to leave things out; where it breaks its shape, UnexpectedAnswer says how, without
a word of the answer itself. Nothing else is ever raised, whatever the JSON.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.clock import rfc3339
from shared.pdpj.bounds import DEFAULT_LIMITS, MOVEMENT_TEXT, NAME_TEXT, SHORT_TEXT, CaseLimits, LeftOut
from shared.pdpj.documents import read_documents
from shared.pdpj.errors import CaseUnreadable, ProcessNotFound, UnexpectedAnswer
from shared.pdpj.fields import as_dict, as_list, first, integer, moment, money, read_json, text
from shared.pdpj.model import Case

Json = dict[str, Any]

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def parse_portal_case(body: bytes, process_number: str, limits: CaseLimits = DEFAULT_LIMITS) -> Case:
    """``GET /api/v2/processos/{n}``. Raises ProcessNotFound and UnexpectedAnswer."""
    found = _the_case(body, process_number)
    current = as_dict(found.get("tramitacaoAtual"))
    others = [item for item in as_list(found.get("tramitacoes")) if isinstance(item, dict)]
    if not current and not others:
        raise UnexpectedAnswer("the case has neither tramitacaoAtual nor tramitacoes")
    return _case(found, process_number, [current, *others] if current else _latest_first(others), (), limits)


def parse_data_lake_case(
    body: bytes, documents_body: bytes | None, process_number: str, limits: CaseLimits = DEFAULT_LIMITS
) -> Case:
    """``GET /processo-api/api/v1/processos/{n}`` and ``.../documentos`` (None: there is no list).

    Raises ProcessNotFound and UnexpectedAnswer.
    """
    found = _the_case(body, process_number)
    current = as_dict(found.get("tramitacaoAtual"))
    others = _latest_first([item for item in as_list(found.get("tramitacoes")) if isinstance(item, dict)])
    listed = () if documents_body is None else _elements(_json(documents_body), "the list of documents")
    dockets = [current, *others] if current else others
    if not dockets:
        raise UnexpectedAnswer("the case has no tramitacoes")
    return _case(found, process_number, dockets, listed, limits, unlisted=not listed)


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        raise CaseUnreadable("the answer is not JSON") from None


def _elements(value: Any, what: str) -> Sequence[Any]:
    """The array, bare or in a page's ``content``."""
    if isinstance(value, dict) and isinstance(value.get("content"), list):
        if value.get("last") is False:
            raise UnexpectedAnswer(f"{what} comes in several pages")
        value = value["content"]
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"{what} is not an array")
    return value


def _the_case(body: bytes, process_number: str) -> Json:
    value = _json(body)
    if isinstance(value, dict) and "content" not in value and "numeroProcesso" in value:
        value = [value]
    elements = _elements(value, "the case")
    if not elements:
        raise ProcessNotFound
    if not all(isinstance(element, dict) for element in elements):
        raise UnexpectedAnswer("the case is not an object")
    wanted = _digits(process_number)
    for element in elements:
        number = element.get("numeroProcesso")
        if number is None and len(elements) == 1:
            return as_dict(element)
        if isinstance(number, str) and _digits(number) == wanted:
            return as_dict(element)
    raise UnexpectedAnswer("the answer is about another case")


def _digits(number: str) -> str:
    return re.sub(r"[^0-9]", "", number[:64])


def _latest_first(dockets: list[Json]) -> list[Json]:
    """The data lake does not say which docket is the current one: the one distributed last. Stable otherwise."""
    if not dockets:
        return dockets
    current = max(dockets, key=_distributed_at)
    return [current, *(docket for docket in dockets if docket is not current)]


def _distributed_at(docket: Json) -> datetime:
    return moment(docket.get("dataHoraUltimaDistribuicao")) or moment(docket.get("dataHoraAjuizamento")) or _LONG_AGO


def _case(
    found: Json,
    process_number: str,
    dockets: Sequence[Json],
    listed: Sequence[Any],
    limits: CaseLimits,
    *,
    unlisted: bool = False,
) -> Case:
    current = dockets[0]
    left_out = LeftOut()
    # The list comes first: where there is one, its order is the source's order over all degrees.
    raw = [*listed, *(item for docket in dockets for item in as_list(docket.get("documentos")))]
    documents, unaddressed = read_documents(raw, process_number)
    grade = current.get("grau")
    return Case(
        process_number=process_number,
        court=_short(found.get("siglaTribunal")) or _short(as_dict(current.get("tribunal")).get("sigla")),
        degree=_short(as_dict(grade).get("sigla")) or _short(grade) or _short(current.get("instancia")),
        class_=_named(first(current.get("classe")), SHORT_TEXT),
        subjects=_subjects(current, limits, left_out),
        parties=_parties(current, limits, left_out),
        filed_at=moment(current.get("dataHoraAjuizamento")),
        claim_value=money(current.get("valorAcao")),
        secrecy_level=integer(found.get("nivelSigilo")),
        movements=_movements(dockets, limits, left_out),
        documents=list(left_out.first("documents", documents, limits.documents)),
        unaddressed=unaddressed,
        unlisted=unlisted,
        left_out=dict(left_out),
    )


def _short(value: object) -> str | None:
    return text(value, SHORT_TEXT)


def _named(item: Json, limit: int) -> str | None:
    return text(item.get("descricao"), limit) or text(item.get("nome"), limit)


def _subjects(docket: Json, limits: CaseLimits, left_out: LeftOut) -> list[Json]:
    shown = []
    for item in left_out.first("subjects", as_list(docket.get("assunto")), limits.subjects):
        subject = as_dict(item)
        code, description = _short(subject.get("codigo")), _named(subject, NAME_TEXT)
        if code is not None or description is not None:
            shown.append({"code": code, "description": description})
    return shown


def _parties(docket: Json, limits: CaseLimits, left_out: LeftOut) -> list[Json]:
    shown = []
    for item in left_out.first("parties", as_list(docket.get("partes")), limits.parties):
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


def _movements(dockets: Sequence[Json], limits: CaseLimits, left_out: LeftOut) -> list[Json]:
    """Of every degree, newest first; those without a time last. Of too many only the newest are made into views."""
    found = [
        (moment(movement.get("dataHora")), movement)
        for docket in dockets
        for movement in as_list(docket.get("movimentos"))
        if isinstance(movement, dict)
    ]
    left_out.add("movements", len(found) - limits.movements)
    # As sorted(..., reverse=True)[:limit]: equal times stay in the source's order.
    newest = heapq.nlargest(limits.movements, found, key=lambda entry: entry[0] or _LONG_AGO)
    shown = []
    for at, movement in newest:
        code = _short(movement.get("codigo"))
        description = _named(movement, MOVEMENT_TEXT) or _named(as_dict(movement.get("tipo")), MOVEMENT_TEXT)
        if at is not None or code is not None or description is not None:
            shown.append({"at": None if at is None else rfc3339(at), "code": code, "description": description})
    return shown
