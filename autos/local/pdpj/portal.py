"""The portal's JSON (``/api/v2``), field by field as public answers show it.

- One case is an *array* of one object: nivelSigilo, siglaTribunal, numeroProcesso, tramitacaoAtual and the other
  dockets in ``tramitacoes`` (``[]`` for a case of one degree). No id, no version, no time of update.
- A document has no id: its UUID is in ``hrefBinario`` and ``hrefTexto`` alone, which are below ``/api/v2``.
- ``nivelSigilo`` is a number on the case and a word on a document. Only the other dockets have a level.
- ``quantidadePaginas`` is 0 on every file. ``tipo.codigo`` and the whole ``arquivo`` can be missing.
- A movement is a time and a description. A party's role is in its pole alone.
- The list of distributions is ``distribuicao`` in the current docket and ``distribuicoes`` in the others.
"""

from __future__ import annotations

from typing import Final

import orjson

from autos.local.pdpj import writing
from autos.local.pdpj.model import Docket, FiledDocument, Party, SourceCase
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.writing import Json, TimeWriter, number_of

ORIGIN: Final = "{origin}"
"""Stands in an absolute address for the scheme, the host and the port that the source was asked at."""
ROOT: Final = "/portal/api/v2"
_OTHER_ORIGIN: Final = "https://portal.tribunal.example"
_DEGREES: Final = {
    1: {"sigla": "G1", "nome": "1º Grau", "numero": 1},
    2: {"sigla": "G2", "nome": "2º Grau", "numero": 2},
}


def case_answer(case: SourceCase) -> bytes:
    """``GET /api/v2/processos/{n}``."""
    return orjson.dumps(elements(case))


def elements(case: SourceCase) -> list[Json]:
    """The array that answers: one object, or two where two courts have the number."""
    write = writing.time_writer(case)
    current = _docket(case, case.current, write)
    others = [
        {
            **_docket(case, docket, write),
            "nivelSigilo": writing.docket_secrecy(case),
            "liminar": False,
            "justicaGratuita": False,
            "idCodex": number_of(f"docket {case.number} {docket.degree}"),
        }
        for docket in case.others
    ]
    for docket in others:
        docket["distribuicoes"] = docket.pop("distribuicao")
    if OddityKind.DOCKET_SECRECY in case.oddities and not others:
        current["nivelSigilo"] = writing.docket_secrecy(case)
    element = {
        "nivelSigilo": writing.case_secrecy(case),
        "siglaTribunal": case.court.initials,
        "numeroProcesso": str(case.number),
        "tramitacaoAtual": current,
        "tramitacoes": others,
    }
    return _placed(case, element)


def _placed(case: SourceCase, element: Json) -> list[Json]:
    """Where the documents stand: in the dockets, but for an oddity."""
    dockets: list[Json] = [element["tramitacaoAtual"], *element["tramitacoes"]]
    if OddityKind.TWO_COURTS in case.oddities:
        return _two_courts(element)
    if case.oddities & {OddityKind.DOCUMENTS_ON_CASE, OddityKind.DOCUMENTS_IN_BASICS}:
        moved = [document for docket in dockets for document in docket["documentos"]]
        for docket in dockets:
            docket["documentos"] = []
        if OddityKind.DOCUMENTS_ON_CASE in case.oddities:
            element["documentos"] = writing.documents_in(case.oddities, moved)
        else:
            element["dadosBasicos"] = {"documentos": writing.documents_in(case.oddities, moved)}
    else:
        for docket in dockets:
            docket["documentos"] = writing.documents_in(case.oddities, docket["documentos"])
    element["tramitacaoAtual"] = writing.lists(case, element["tramitacaoAtual"])
    element["tramitacoes"] = [writing.lists(case, docket) for docket in element["tramitacoes"]]
    return [writing.lists(case, element)]


def _two_courts(element: Json) -> list[Json]:
    """The later half of the documents is the other court's."""
    current = element["tramitacaoAtual"]
    documents: list[Json] = current["documentos"]
    half = len(documents) // 2
    theirs = {
        "nivelSigilo": element["nivelSigilo"],
        "siglaTribunal": writing.SECOND_COURT["sigla"],
        "numeroProcesso": element["numeroProcesso"],
        "tramitacaoAtual": {
            **current,
            "tribunal": writing.SECOND_COURT,
            "movimentos": [],
            "documentos": documents[:half],
        },
        "tramitacoes": [],
    }
    current["documentos"] = documents[half:]
    return [element, theirs]


def search(case: SourceCase | None) -> bytes:
    """``GET /api/v2/processos?numeroProcesso=``: a page of one case, or an empty one."""
    if case is None:
        return orjson.dumps({"content": []})
    found = elements(case)
    return orjson.dumps({"total": len(found), "numberOfElements": len(found), "maxElementsSize": 100, "content": found})


def _docket(case: SourceCase, docket: Docket, write: TimeWriter) -> Json:
    shown: Json = {
        "idOrigem": str(number_of(f"origin {case.number} {docket.degree}")),
        "dataHoraAjuizamento": write(docket.filed_at),
        "instancia": writing.INSTANCES[docket.degree],
        "grau": _DEGREES[docket.degree],
        "valorAcao": writing.amount(case),
        "classe": [{"codigo": docket.case_class.code, "descricao": docket.case_class.name}],
        "assunto": writing.subjects(case),
        "distribuicao": [
            {
                "dataHora": write(docket.distributed_at),
                "orgaoJulgador": [{"id": docket.unit.code, "nome": docket.unit.name}],
                "orgaoJulgadorLocal": {"id": docket.unit.code, "nome": docket.unit.name},
            }
        ],
        "movimentos": [{"dataHora": write(m.at), "descricao": m.kind.name} for m in reversed(docket.movements)],
        "partes": [_party(case, party) for party in case.parties],
        "tribunal": writing.court(case),
        "documentos": [_document(case, document, write) for document in writing.newest_first(docket)],
        "permitePeticionar": True,
        "ativo": True,
        "idFonteDadosCodex": 1 + number_of(case.court.jtr) % 90,
    }
    if case.related:
        shown["processosRelacionados"] = [
            {
                "numeroProcesso": other.number,
                "href": f"/processos/{writing.related_number(other.number)}",
                "tipoRelacao": other.relation,
                "ativo": True,
            }
            for other in case.related
        ]
    return shown


def _party(case: SourceCase, party: Party) -> Json:
    shown: Json = {
        "polo": party.pole,
        "nome": party.name,
        "sigilosa": False,
        "documentosPrincipais": writing.tax_numbers(party),
        "outrosNomes": [],
    }
    if lawyers := writing.lawyers(case, party):
        shown["representantes"] = lawyers
    return shown


def _document(case: SourceCase, document: FiledDocument, write: TimeWriter) -> Json:
    kind: Json = {} if document.type_code is None else {"codigo": document.type_code}
    kind |= {
        "nome": document.type_name,
        "idCodex": number_of(document.type_name),
        "idOrigem": str(document.type_code or 0),
    }
    shown: Json = {
        **writing.filed(document, write),
        "tipo": kind,
    }
    if document.described:
        shown["arquivo"] = _file(document)
    _add_addresses(shown, case, document)
    return shown


def _file(document: FiledDocument) -> Json:
    listed = document.kind.media_type
    if OddityKind.LISTED_AS_OTHER_TYPE in document.oddities:
        listed = "text/html" if listed == "application/pdf" else "application/pdf"
    return {
        "tipo": listed,
        "quantidadePaginas": document.pages or 0 if OddityKind.PAGES_KNOWN in document.oddities else 0,
        "quantidadeImagens": 0,
        "tamanho": writing.listed_size(document),
        "tamanhoTexto": document.size // 10,
    }


def _add_addresses(shown: Json, case: SourceCase, document: FiledDocument) -> None:
    kinds = document.oddities
    if OddityKind.NO_ADDRESS in kinds:
        return
    path = f"/processos/{case.number}/documentos/{document.source_id}"
    hrefs = {"hrefBinario": f"{path}/binario", "hrefTexto": f"{path}/texto"}
    if OddityKind.HREF_ABSOLUTE in kinds:
        hrefs = {name: f"{ORIGIN}{ROOT}{href}" for name, href in hrefs.items()}
    elif OddityKind.HREF_OTHER_HOST in kinds:
        hrefs = {name: f"{_OTHER_ORIGIN}/api/v2{href}" for name, href in hrefs.items()}
    elif OddityKind.HREF_FROM_ROOT in kinds:
        hrefs = {name: f"{ROOT}{href}" for name, href in hrefs.items()}
    elif OddityKind.HREF_WITHOUT_SLASH in kinds:
        hrefs = {name: href[1:] for name, href in hrefs.items()}
    elif OddityKind.HREF_WITH_QUERY in kinds:
        query = f"?numeroProcesso={case.number}&idDocumento={document.source_id}"
        hrefs = {name: href + query for name, href in hrefs.items()}
    if OddityKind.TEXT_ONLY in kinds:
        del hrefs["hrefBinario"]
    place = shown.setdefault("arquivo", {}) if OddityKind.HREF_IN_FILE in kinds else shown
    place.update(hrefs)
