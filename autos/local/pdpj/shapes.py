"""The source's JSON, field by field, with its oddities (docs/reference/pdpj.md, "Facts").

Both APIs
- One case is a JSON *array* of one object.
- Timestamps are naive, in São Paulo's time, and carry one to three fraction digits: trailing zeros are dropped, as Java
  prints a LocalDateTime.
- ``nivelSigilo`` is a number on the case and a word on a document.
- ``classe`` and ``assunto`` are arrays, also when there is one.
- ``tipo.codigo`` and the whole ``arquivo`` can be missing (the key is absent, not null).
- ``arquivo.quantidadePaginas`` is null for what has no pages.
- The same filing comes under two UUIDs, one in each degree, with the same ``idOrigem``, name and bytes.
- Names repeat, and hold accents, quotes, slashes and people's names.
- The newest document comes first; ``sequencia`` counts from 1 in each degree, so it repeats over the degrees.

Portal (``/api/v2``)
- Documents have no id: the UUID is only in ``hrefBinario`` and ``hrefTexto``, which are relative to ``/api/v2``.
- ``tramitacoes`` leaves the current one out (``[]`` for a case of one degree); documents are in both.

Data lake (``/processo-api/api/v1``)
- ``tramitacoes`` holds every degree and there is no ``tramitacaoAtual``.
- Documents have ``id`` and no hrefs; ``/processos/{n}/documentos`` lists those of all degrees in one array.
- A movement can name its document (``idDocumento``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from autos.local.pdpj.model import Docket, FiledDocument, Movement, Party, SourceCase

Json = dict[str, Any]

_DEGREES = {
    1: ("PRIMEIRO_GRAU", {"sigla": "G1", "nome": "1º Grau", "numero": 1}),
    2: ("SEGUNDO_GRAU", {"sigla": "G2", "nome": "2º Grau", "numero": 2}),
}


def portal_case(case: SourceCase) -> bytes:
    """``GET /api/v2/processos/{n}``."""
    answer = _case_head(case)
    answer["tramitacaoAtual"] = _docket(case, case.current, portal=True)
    answer["tramitacoes"] = [_docket(case, docket, portal=True) for docket in case.others]
    return orjson.dumps([answer])


def data_lake_case(case: SourceCase) -> bytes:
    """``GET /processo-api/api/v1/processos/{n}``."""
    answer = _case_head(case)
    answer["tramitacoes"] = [_docket(case, docket, portal=False) for docket in (case.current, *case.others)]
    return orjson.dumps([answer])


def data_lake_documents(case: SourceCase) -> bytes:
    """``GET /processo-api/api/v1/processos/{n}/documentos``."""
    return orjson.dumps([_data_lake_document(document) for document in reversed(case.documents)])


def naive_timestamp(moment: datetime) -> str:
    """``2023-05-04T10:20:30.12``: no zone, no trailing zeros after the first fraction digit."""
    fraction = f"{moment.microsecond // 1000:03d}".rstrip("0") or "0"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}"


def _case_head(case: SourceCase) -> Json:
    return {
        "numeroProcesso": str(case.number),
        "nivelSigilo": case.secrecy_level,
        "siglaTribunal": case.court.initials,
    }


def _docket(case: SourceCase, docket: Docket, *, portal: bool) -> Json:
    instance, degree = _DEGREES[docket.degree]
    unit = [{"id": docket.unit.code, "nome": docket.unit.name}]
    case_class = {"codigo": docket.case_class.code, "descricao": docket.case_class.name}
    return {
        "dataHoraAjuizamento": naive_timestamp(docket.filed_at),
        "dataHoraUltimaDistribuicao": naive_timestamp(docket.filed_at),
        "instancia": instance,
        "grau": degree,
        "valorAcao": case.claim_value,
        "classe": [case_class],
        "assunto": [{"codigo": s.code, "descricao": s.name, "hierarquia": s.path} for s in case.subjects],
        "distribuicao": [{"dataHora": naive_timestamp(docket.filed_at), "classe": [case_class], "orgaoJulgador": unit}],
        "movimentos": [_movement(movement, unit, portal=portal) for movement in reversed(docket.movements)],
        "partes": [_party(party, case) for party in case.parties],
        "tribunal": {
            "sigla": case.court.initials,
            "nome": case.court.name,
            "segmento": case.court.segment,
            "jtr": case.court.jtr,
        },
        "documentos": list(_documents(case, docket, portal=portal)),
    }


def _documents(case: SourceCase, docket: Docket, *, portal: bool) -> Iterable[Json]:
    for document in reversed(docket.documents):
        yield _portal_document(case, document) if portal else _data_lake_document(document)


def _movement(movement: Movement, unit: list[Json], *, portal: bool) -> Json:
    shown: Json = {
        "sequencia": movement.sequence,
        "dataHora": naive_timestamp(movement.at),
        "codigo": movement.kind.code,
        "descricao": movement.kind.name,
        "orgaoJulgador": unit,
    }
    if not portal:
        shown["idDocumento"] = movement.document_id
    return shown


def _party(party: Party, case: SourceCase) -> Json:
    lawyers = []
    if party.lawyer is not None:
        state = case.court.initials[-2:] if case.court.segment == "JUSTICA_ESTADUAL" else "SP"
        lawyers.append(
            {
                "tipoRepresentacao": "ADVOGADO",
                "nome": party.lawyer,
                "situacao": "ATIVO",
                "oab": [{"numero": party.lawyer_number, "uf": state}],
            }
        )
    return {
        "polo": party.pole,
        "tipoParte": party.role,
        "tipoPessoa": "JURIDICA" if party.is_company else "FISICA",
        "nome": party.name,
        "sigilosa": False,
        "documentosPrincipais": [{"numero": party.tax_id, "tipo": "CNPJ" if party.is_company else "CPF"}],
        "representantes": lawyers,
    }


def _document_fields(document: FiledDocument) -> Json:
    kind: Json = {"nome": document.type_name}
    if document.type_code is not None:
        kind = {"codigo": document.type_code, **kind}
    shown: Json = {
        "sequencia": document.sequence,
        "dataHoraJuntada": naive_timestamp(document.filed_at),
        "idCodex": zlib.crc32(document.document_id.encode()) >> 1,
        "idOrigem": str(zlib.crc32(document.filing_id.encode()) >> 1),
        "nome": document.name,
        "nivelSigilo": document.secrecy,
        "tipo": kind,
    }
    if document.described:
        shown["arquivo"] = {
            "tipo": document.kind.source_name,
            "quantidadePaginas": document.pages,
            "tamanho": document.size,
        }
    return shown


def _portal_document(case: SourceCase, document: FiledDocument) -> Json:
    path = f"/processos/{case.number}/documentos/{document.document_id}"
    return {**_document_fields(document), "hrefBinario": f"{path}/binario", "hrefTexto": f"{path}/texto"}


def _data_lake_document(document: FiledDocument) -> Json:
    return {"id": document.document_id, **_document_fields(document)}
