"""What the lists of the data lake hold: movements, parties and documents, as it declares them."""

from __future__ import annotations

from typing import Any

from autos.local.pdpj import writing
from autos.local.pdpj.model import Docket, FiledDocument, Movement, Party, SourceCase
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.writing import Json, TimeWriter, number_of


def movements(docket: Docket, write: TimeWriter) -> list[Json]:
    """``MovimentoS3`` of one docket, newest first."""
    newest = len(docket.movements)
    return [_movement(movement, docket, newest, write) for movement in reversed(docket.movements)]


def _movement(movement: Movement, docket: Docket, newest: int, write: TimeWriter) -> Json:
    odd = movement.sequence % 2 == 1
    judge: Any = {"nome": f"Juízo da {docket.unit.name}"} if movement.sequence % 13 == 0 else None
    return {
        "sequencia": newest + 1 - movement.sequence,
        "dataHora": write(movement.at),
        "idDistribuicao": str(docket.unit.code),
        "idCodex": number_of(f"movement {docket.unit.code} {movement.at}"),
        "idOrigem": str(movement.sequence),
        "descricao": movement.kind.name,
        "classe": {"codigo": docket.case_class.code, "descricao": docket.case_class.name},
        "tipo": {
            "id": movement.kind.code,
            "nome": movement.kind.name,
            "descricao": movement.kind.name,
            "hierarquia": movement.kind.name,
            "complementos": [],
        },
        "orgaoJulgador": {"id": docket.unit.code, "nome": docket.unit.name},
        "idDocumento": None if odd else movement.document_id,
        "magistrado": judge,
        "usuario": {"nome": "SISTEMA"} if movement.sequence % 6 else None,
    }


def party(case: SourceCase, party: Party) -> Json:
    """``ParteS3``, without what is personal beyond a name and a number."""
    return {
        "polo": party.pole,
        "tipoParte": party.role,
        "situacao": "ATIVO",
        "nome": party.name,
        "tipoPessoa": "JURIDICA" if party.is_company else "FISICA",
        "documentosPrincipais": writing.tax_numbers(party),
        "outrosNomes": [],
        "assistenciaJudiciariaGratuita": False,
        "sigilosa": False,
        "representantes": writing.lawyers(case, party),
    }


def document(document: FiledDocument, write: TimeWriter) -> Json:
    """``DocumentoS3``."""
    kind: Json = {} if document.type_code is None else {"codigo": document.type_code}
    kind |= {"nome": document.type_name, "idCodex": number_of(document.type_name)}
    shown: Json = {
        **writing.filed(document, write),
        "tipo": {**kind, "idOrigem": str(document.type_code or 0)},
        "signatarios": [],
    }
    if OddityKind.NO_ADDRESS not in document.oddities:
        shown["id"] = document.source_id
    if document.described:
        shown["arquivo"] = _file(document)
    return shown


def _file(document: FiledDocument) -> Json:
    listed = document.kind.lake_name
    if OddityKind.LISTED_AS_OTHER_TYPE in document.oddities:
        listed = "TEXT_HTML" if listed == "APPLICATION_PDF" else "APPLICATION_PDF"
    return {
        "id": str(number_of(f"file {document.filing_id} {document.version}")),
        "idCodex": number_of(f"codex file {document.filing_id} {document.version}"),
        "tipo": listed,
        "quantidadePaginas": document.pages or 0,
        "quantidadeImagens": 0,
        "tamanho": writing.listed_size(document),
        "tamanhoTexto": document.size // 10,
    }
