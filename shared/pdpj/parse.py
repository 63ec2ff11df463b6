"""The source's JSON (docs/architecture.md, section 9) turned into a Case: pure, for the portal and the data lake.

Tolerant where the source is known to leave things out; where it breaks its shape, UnexpectedAnswer says how, without
a word of the answer itself. Nothing else is ever raised, whatever the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.clock import rfc3339
from shared.pdpj.documents import read_documents
from shared.pdpj.errors import ProcessNotFound, UnexpectedAnswer
from shared.pdpj.fields import as_dict, as_list, first, integer, moment, money, read_json, text
from shared.pdpj.model import Case

Json = dict[str, Any]

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def parse_portal_case(body: bytes, process_number: str) -> Case:
    """``GET /api/v2/processos/{n}``. Raises ProcessNotFound and UnexpectedAnswer."""
    found = _the_case(body, process_number)
    current = as_dict(found.get("tramitacaoAtual"))
    others = [item for item in as_list(found.get("tramitacoes")) if isinstance(item, dict)]
    if not current and not others:
        raise UnexpectedAnswer("the case has neither tramitacaoAtual nor tramitacoes")
    return _case(found, process_number, [current, *others] if current else _latest_first(others), ())


def parse_data_lake_case(body: bytes, documents_body: bytes | None, process_number: str) -> Case:
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
    return _case(found, process_number, dockets, listed, unlisted=not listed)


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        raise UnexpectedAnswer("the answer is not JSON") from None


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
    found: Json, process_number: str, dockets: Sequence[Json], listed: Sequence[Any], *, unlisted: bool = False
) -> Case:
    current = dockets[0]
    # The list comes first: where there is one, its order is the source's order over all degrees.
    raw = [*listed, *(item for docket in dockets for item in as_list(docket.get("documentos")))]
    documents, unaddressed = read_documents(raw, process_number)
    grade = current.get("grau")
    return Case(
        process_number=process_number,
        court=text(found.get("siglaTribunal")) or text(as_dict(current.get("tribunal")).get("sigla")),
        degree=text(as_dict(grade).get("sigla")) or text(grade) or text(current.get("instancia")),
        class_=_named(first(current.get("classe"))),
        subjects=list(_subjects(current)),
        parties=list(_parties(current)),
        filed_at=moment(current.get("dataHoraAjuizamento")),
        claim_value=money(current.get("valorAcao")),
        secrecy_level=integer(found.get("nivelSigilo")),
        movements=_movements(dockets),
        documents=documents,
        unaddressed=unaddressed,
        unlisted=unlisted,
    )


def _named(item: Json) -> str | None:
    return text(item.get("descricao")) or text(item.get("nome"))


def _subjects(docket: Json) -> Iterator[Json]:
    for item in as_list(docket.get("assunto")):
        subject = as_dict(item)
        code, description = text(subject.get("codigo")), _named(subject)
        if code is not None or description is not None:
            yield {"code": code, "description": description}


def _parties(docket: Json) -> Iterator[Json]:
    for item in as_list(docket.get("partes")):
        party = as_dict(item)
        name = text(party.get("nome"))
        if name is None:
            continue
        lawyers = [as_dict(lawyer) for lawyer in as_list(party.get("representantes"))]
        yield {
            "name": name,
            "role": text(party.get("tipoParte")),
            "pole": text(party.get("polo")),
            "representatives": [
                {"name": text(lawyer.get("nome")), "role": text(lawyer.get("tipoRepresentacao"))}
                for lawyer in lawyers
                if text(lawyer.get("nome")) is not None
            ],
        }


def _movements(dockets: Sequence[Json]) -> list[Json]:
    """Of every degree, newest first; those without a time last."""
    found: list[tuple[datetime, Json]] = []
    for docket in dockets:
        for item in as_list(docket.get("movimentos")):
            movement = as_dict(item)
            at, code, description = (
                moment(movement.get("dataHora")),
                text(movement.get("codigo")),
                _named(movement) or _named(as_dict(movement.get("tipo"))),
            )
            if at is not None or code is not None or description is not None:
                shown = {"at": None if at is None else rfc3339(at), "code": code, "description": description}
                found.append((at or _LONG_AGO, shown))
    found.sort(key=lambda entry: entry[0], reverse=True)
    return [shown for _, shown in found]
