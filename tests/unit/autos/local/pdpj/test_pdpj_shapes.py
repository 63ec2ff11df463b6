"""The JSON of both interfaces has the names, the nesting and the oddities that public answers show."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autos.local.pdpj import lake, portal
from autos.local.pdpj.control_model import CaseSetting
from autos.local.pdpj.courts import court_of
from autos.local.pdpj.generate import generate
from autos.local.pdpj.model import SourceCase
from autos.local.pdpj.writing import naive_timestamp
from shared.domain.cnj import make, parse

NUMBER = parse("0801429-56.2022.4.05.8201")
CASE = generate(NUMBER, CaseSetting(documents=120, degrees=2))
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?")
HREF = re.compile(
    rf"/processos/{re.escape(NUMBER)}/documentos/([0-9a-f]{{8}}-[0-9a-f-]{{27}})/(binario|texto)",
)


def in_portal(case: SourceCase = CASE) -> dict[str, Any]:
    answer = orjson.loads(portal.case_answer(case))
    assert isinstance(answer, list) and len(answer) == 1
    return dict(answer[0])


def portal_documents() -> list[dict[str, Any]]:
    case = in_portal()
    return [d for docket in (case["tramitacaoAtual"], *case["tramitacoes"]) for d in docket["documentos"]]


def test_portal_case_has_the_fields_of_the_source() -> None:
    case = in_portal()
    assert set(case) == {"nivelSigilo", "siglaTribunal", "numeroProcesso", "tramitacaoAtual", "tramitacoes"}
    assert (case["numeroProcesso"], case["siglaTribunal"]) == (NUMBER, "TRF5")
    assert isinstance(case["nivelSigilo"], int)
    docket = case["tramitacaoAtual"]
    assert set(docket) - {"processosRelacionados"} == {
        "idOrigem", "dataHoraAjuizamento", "instancia", "grau", "valorAcao", "classe", "assunto", "distribuicao",
        "movimentos", "partes", "tribunal", "documentos", "permitePeticionar", "ativo", "idFonteDadosCodex",
    }  # fmt: skip
    assert all(isinstance(docket[name], list) for name in ("classe", "assunto", "distribuicao", "movimentos", "partes"))
    assert isinstance(docket["grau"], dict) and isinstance(docket["tribunal"], dict)
    assert {frozenset(movement) for movement in docket["movimentos"]} == {frozenset({"dataHora", "descricao"})}
    assert all("tipoParte" not in party for party in docket["partes"])


def test_only_the_other_dockets_of_the_portal_have_a_level() -> None:
    case = in_portal()
    [other] = case["tramitacoes"]
    only_there = {"nivelSigilo", "liminar", "justicaGratuita", "idCodex", "distribuicoes"}
    assert only_there <= set(other) and not only_there & set(case["tramitacaoAtual"])
    assert "distribuicao" not in other


def test_the_other_degree_leaves_the_current_one_out() -> None:
    case = in_portal()
    assert len(case["tramitacoes"]) == 1
    degrees = {case["tramitacaoAtual"]["grau"]["sigla"], case["tramitacoes"][0]["grau"]["sigla"]}
    assert degrees == {"G1", "G2"}
    assert case["tramitacaoAtual"]["documentos"] and case["tramitacoes"][0]["documentos"]


def test_a_case_of_one_degree_has_no_other() -> None:
    assert in_portal(generate(NUMBER, CaseSetting(documents=5, degrees=1)))["tramitacoes"] == []


def test_portal_documents_have_their_uuid_only_in_the_hrefs() -> None:
    seen = []
    for document in portal_documents():
        assert "id" not in document
        binary, text = HREF.fullmatch(document["hrefBinario"]), HREF.fullmatch(document["hrefTexto"])
        assert binary and text and binary[1] == text[1]
        seen.append(binary[1])
    assert sorted(seen) == sorted(CASE.by_id)
    assert {UUID(document_id).version for document_id in seen} == {5}


def test_documents_miss_what_the_source_misses() -> None:
    documents = portal_documents()
    assert any("arquivo" not in document for document in documents)
    assert any("codigo" not in document["tipo"] for document in documents)
    files = [document["arquivo"] for document in documents if "arquivo" in document]
    assert {name for file in files for name in file} == {
        "tipo", "quantidadePaginas", "quantidadeImagens", "tamanho", "tamanhoTexto"
    }  # fmt: skip
    assert {file["quantidadePaginas"] for file in files} == {0}
    assert {"application/pdf", "text/html"} <= {file["tipo"] for file in files}
    assert all(isinstance(document["nivelSigilo"], str) for document in documents)
    assert all(len(str(document["idCodex"])) == 11 for document in documents)


def test_one_filing_comes_under_two_uuids() -> None:
    origins = [document["idOrigem"] for document in portal_documents()]
    assert len(set(origins)) < len(origins)


def test_the_lakes_lists_are_one_object_each_with_the_list_inside() -> None:
    listed = orjson.loads(lake.documents_answer(CASE))
    documents = listed["documentos"]
    assert (listed["id"], listed["numeroProcesso"]) == (NUMBER.digits, NUMBER)
    assert sorted(document["id"] for document in documents) == sorted(CASE.by_id)
    assert not any("hrefBinario" in document or "hrefTexto" in document for document in documents)
    assert {"APPLICATION_PDF", "TEXT_HTML"} <= {document.get("arquivo", {}).get("tipo") for document in documents}
    assert orjson.loads(lake.movements_answer(CASE))["movimentos"]
    assert orjson.loads(lake.parties_answer(CASE))["partes"]


def test_the_lakes_case_has_every_docket_latest_filing_first_and_no_degree() -> None:
    [case] = orjson.loads(lake.case_answer(CASE))
    assert "tramitacaoAtual" not in case
    filed = [docket["dataHoraAjuizamento"] for docket in case["tramitacoes"]]
    assert len(filed) == 2 and filed == sorted(filed, reverse=True)
    assert not any("grau" in docket for docket in case["tramitacoes"])
    inside = [document["id"] for docket in case["tramitacoes"] for document in docket["documentos"]]
    assert sorted(inside) == sorted(CASE.by_id)


def test_a_movement_of_the_lake_keeps_its_code_in_its_type() -> None:
    movements = orjson.loads(lake.movements_answer(CASE))["movimentos"]
    assert not any("codigo" in movement for movement in movements)
    assert all(isinstance(movement["tipo"]["id"], int) for movement in movements)
    named = [movement["idDocumento"] for movement in movements if movement["idDocumento"] is not None]
    assert 0 < len(named) < len(movements) and set(named) <= set(CASE.by_id)


def test_an_empty_list_of_the_lake_is_three_fields() -> None:
    empty = generate(NUMBER, CaseSetting(documents=0))
    assert orjson.loads(lake.documents_answer(empty)) == {
        "id": NUMBER.digits,
        "numeroProcesso": NUMBER,
        "documentos": [],
    }


def test_a_search_finds_one_case_or_an_empty_page() -> None:
    assert orjson.loads(portal.search(None)) == {"content": []}
    found = orjson.loads(lake.search(generate(NUMBER, CaseSetting(documents=0, degrees=1))))
    assert (found["total"], found["numberOfElements"], found["maxElementsSize"]) == (1, 1, 100)
    assert found["content"][0]["tramitacoes"][0]["documentos"] is None


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001 - naive, as the source's
def test_timestamps_are_naive_with_up_to_three_fraction_digits(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    text = naive_timestamp(moment)
    assert TIMESTAMP.fullmatch(text)
    assert datetime.fromisoformat(text if "." not in text else text.ljust(23, "0")) == moment


def test_fraction_digits_vary_over_a_case() -> None:
    lengths = {len(document["dataHoraJuntada"].partition(".")[2]) for document in portal_documents()}
    assert lengths >= {0, 2, 3}


@pytest.mark.parametrize(
    ("segment", "court", "initials"),
    [
        (8, 26, "TJSP"),
        (8, 7, "TJDFT"),
        (4, 3, "TRF3"),
        (5, 15, "TRT15"),
        (6, 13, "TRE-MG"),
        (9, 21, "TJMRS"),
        (3, 0, "STJ"),
    ],
)
def test_court_of_the_number(segment: int, court: int, initials: str) -> None:
    assert court_of(make(1, 2024, segment, court, 1)).initials == initials
