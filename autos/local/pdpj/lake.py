"""The data lake's JSON (``/processo-api/api/v1``): the shapes that its OpenAPI document declares, filled as seen.

- The case (``ProcessoS3``) comes in an array; its dockets (``TramiteS3``) are in ``tramitacoes``, latest filing first.
  There is no tramitacaoAtual and no grau: the degree is ``instancia``.
- Documents, movements and parties come in one *object* each, with the case's head and the list inside.
- A document (``DocumentoS3``) has an id and no addresses; its level is a word, that of case and docket a number.
- A movement keeps the code of the national table as ``tipo.id``; ``sequencia`` falls with time.
- Nothing is left out that is declared; what is not known is null. Empty lists are ``[]``, in the search null.
"""

from __future__ import annotations

from typing import Final

import orjson

from autos.local.pdpj import lake_items as items
from autos.local.pdpj import writing
from autos.local.pdpj.model import Docket, SourceCase
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.writing import Json, TimeWriter, number_of

_VERSION: Final = "1.0.9"
_SYSTEM: Final = "PJE"
_NULLS: Final = (
    "dataBaixa", "dataSentenca", "dataSuspensao", "numeroHistorico", "competencia", "idCompetencia", "tipoPrioridade",
    "custasFinais", "custasIniciais", "custasRecolhidas", "custasRecursais", "dataHoraExclusao", "anoEleicao",
    "intervencaoMP", "juizo100Digital",
)  # fmt: skip
"""Of a docket: declared, and seen as null alone."""


def case_answer(case: SourceCase) -> bytes:
    """``GET …/processos/{n}``."""
    return orjson.dumps(_two_courts(case) if OddityKind.TWO_COURTS in case.oddities else [_case(case)])


def documents_answer(case: SourceCase) -> bytes:
    """``GET …/processos/{n}/documentos``."""
    if OddityKind.LIST_BROKEN in case.oddities:
        return b'{"id":"' + case.number.digits.encode() + b'","documentos":[{"sequencia":'
    write = writing.time_writer(case)
    listed = [items.document(document, write) for document in reversed(case.documents)]
    if OddityKind.LIST_AS_ARRAY in case.oddities:
        return orjson.dumps(listed)
    if OddityKind.LIST_EMPTY in case.oddities or not listed:  # as seen: three fields and no more
        return orjson.dumps({"id": case.number.digits, "numeroProcesso": str(case.number), "documentos": []})
    return orjson.dumps({**_head(case, write), "documentos": writing.documents_in(case.oddities, listed)})


def movements_answer(case: SourceCase) -> bytes:
    """``GET …/processos/{n}/movimentos``."""
    write = writing.time_writer(case)
    listed = [item for docket in _dockets(case) for item in items.movements(docket, write)]
    return orjson.dumps({**_head(case, write), "movimentos": listed})


def parties_answer(case: SourceCase) -> bytes:
    """``GET …/processos/{n}/partes``."""
    shown = {**_head(case, writing.time_writer(case)), "partes": [items.party(case, party) for party in case.parties]}
    return orjson.dumps(shown)


def search(case: SourceCase) -> bytes:
    """``GET …/processos?numeroProcesso=``: a page of one case, its empty lists null."""
    found = _case(case)
    found["tramitacoes"] = [_without_empty(docket) for docket in found["tramitacoes"]]
    page = {"total": 1, "numberOfElements": 1, "maxElementsSize": 100, "searchAfter": [], "content": [found]}
    return orjson.dumps(page)


def _two_courts(case: SourceCase) -> list[Json]:
    """The later half of the last docket's documents is the other court's."""
    ours, theirs = _case(case), _case(case)
    documents = ours["tramitacoes"][0]["documentos"]
    half = len(documents) // 2
    ours["tramitacoes"][0]["documentos"] = documents[half:]
    court = {**theirs["tramitacoes"][0]["tribunal"], **writing.SECOND_COURT}
    theirs["siglaTribunal"] = court["sigla"]
    docket = {**theirs["tramitacoes"][0], "tribunal": court, "movimentos": [], "documentos": documents[:half]}
    theirs["tramitacoes"] = [docket]
    return [ours, theirs]


def _without_empty(docket: Json) -> Json:
    return {name: None if value == [] else value for name, value in docket.items()}


def _case(case: SourceCase) -> Json:
    write = writing.time_writer(case)
    dockets = [_docket(case, docket, write) for docket in _dockets(case)]
    shown = {**_head(case, write), "tramitacoes": dockets}
    if case.oddities & {OddityKind.DOCUMENTS_ON_CASE, OddityKind.DOCUMENTS_IN_BASICS}:
        moved = [document for docket in dockets for document in docket["documentos"]]
        place = shown if OddityKind.DOCUMENTS_ON_CASE in case.oddities else shown.setdefault("dadosBasicos", {})
        place["documentos"] = writing.documents_in(case.oddities, moved)
        for docket in dockets:
            docket["documentos"] = []
    elif OddityKind.DOCUMENTS_AS_OBJECT in case.oddities:
        for docket in dockets:
            docket["documentos"] = writing.documents_in(case.oddities, docket["documentos"])
    shown["tramitacoes"] = [writing.lists(case, docket) for docket in dockets]
    return shown


def _dockets(case: SourceCase) -> list[Docket]:
    return sorted((case.current, *case.others), key=lambda docket: docket.filed_at, reverse=True)


def _head(case: SourceCase, write: TimeWriter) -> Json:
    """What the case and every list of it begin with."""
    return {
        "id": case.number.digits,
        "versao": _VERSION,
        "numeroProcesso": str(case.number),
        "numeroProcessoSintetico": case.number.digits,
        "dataHoraAtualizacao": write(case.last_update),
        "dataHoraUltimaAtualizacaoCodex": write(case.last_update),
        "nivelSigilo": writing.case_secrecy(case),
        "segmentoJustica": case.court.segment,
        "idCodexTribunal": number_of(case.court.jtr) % 90 + 1,
        "siglaTribunal": case.court.initials,
    }


def _docket(case: SourceCase, docket: Docket, write: TimeWriter) -> Json:
    unit = {"id": docket.unit.code, "idLocal": docket.unit.code, "nome": docket.unit.name}
    shown: Json = {
        "idOrigem": str(number_of(f"origin {case.number} {docket.degree}")),
        "idCodex": number_of(f"docket {case.number} {docket.degree}"),
        "idFonteDadosCodex": 1 + number_of(case.court.jtr) % 90,
        "dataHoraUltimaAtualizacaoCodex": write(case.last_update),
        "dataHoraAjuizamento": write(docket.filed_at),
        "dataDistribuicao": write(docket.filed_at),
        "dataHoraUltimaDistribuicao": write(docket.distributed_at),
        "tipoJustica": case.court.segment,
        "sistemaProcessual": _SYSTEM,
        "tipoSistemaProcessual": _SYSTEM,
        "tribunal": {**writing.court(case), "idCodex": number_of(case.court.jtr) % 90 + 1},
        "dadosCompetencia": unit,
        "instancia": writing.INSTANCES[docket.degree],
        "tipoProcesso": "PRINCIPAL",
        "natureza": "CIVEL",
        "liminar": False,
        "justicaGratuita": False,
        "nivelSigilo": writing.docket_secrecy(case),
        "valorAcao": writing.amount(case),
        "classe": [_class(docket, write)],
        "assunto": writing.subjects(case),
        "partes": [items.party(case, party) for party in case.parties],
        "distribuicoes": [_distribution(case, docket, write)],
        "movimentos": items.movements(docket, write),
        "documentos": [items.document(document, write) for document in writing.newest_first(docket)],
        "processosRelacionados": [
            {
                "numeroProcesso": other.number,
                "href": f"/processos/{writing.related_number(other.number)}",
                "idCodex": number_of(other.number),
                "idOrigem": str(number_of(f"origin {other.number}")),
                "tipoRelacao": other.relation,
                "classe": {"id": other.case_class.code, "descricao": other.case_class.name},
                "ativo": True,
                "dataHoraExclusao": None,
            }
            for other in case.related
        ],
        "ativo": True,
        "situacaoMigracao": "NAO_MIGRADO",
    }
    return shown | dict.fromkeys(_NULLS)


def _class(docket: Docket, write: TimeWriter) -> Json:
    return {
        "sequencia": 1,
        "dataHoraInicio": write(docket.filed_at),
        "codigo": docket.case_class.code,
        "descricao": docket.case_class.name,
        "hierarquia": docket.case_class.name,
        "historico": [],
        "polo_passivo": "REU",
        "polo_ativo": "AUTOR",
    }


def _distribution(case: SourceCase, docket: Docket, write: TimeWriter) -> Json:
    unit = {"id": docket.unit.code, "idLocal": docket.unit.code, "nome": docket.unit.name}
    return {
        "sequencia": 1,
        "dataHora": write(docket.distributed_at),
        "id": str(number_of(f"distribution {case.number} {docket.degree}")),
        "idCodex": number_of(f"codex distribution {case.number} {docket.degree}"),
        "orgaoJulgador": [unit],
        "orgaoJulgadorLocal": {"id": docket.unit.code, "nome": docket.unit.name, "idOrigem": str(docket.unit.code)},
        "orgaoJulgadorColegiado": [],
    }
