"""The JSON of both APIs has the names, the nesting and the oddities of docs/reference/pdpj.md, "Facts"."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autos.local.pdpj.control_model import CaseSetting
from autos.local.pdpj.courts import court_of
from autos.local.pdpj.generate import generate
from autos.local.pdpj.shapes import data_lake_case, data_lake_documents, naive_timestamp, portal_case
from shared.domain.cnj import make, parse

NUMBER = parse("0801429-56.2022.4.05.8201")
CASE = generate(NUMBER, CaseSetting(documents=120, degrees=2))
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}")
HREF = re.compile(
    rf"/processos/{re.escape(NUMBER)}/documentos/([0-9a-f]{{8}}-[0-9a-f-]{{27}})/(binario|texto)",
)


def portal() -> dict[str, Any]:
    answer = orjson.loads(portal_case(CASE))
    assert isinstance(answer, list) and len(answer) == 1
    return dict(answer[0])


def portal_documents() -> list[dict[str, Any]]:
    case = portal()
    return [d for docket in (case["tramitacaoAtual"], *case["tramitacoes"]) for d in docket["documentos"]]


def test_portal_case_has_the_fields_of_the_source() -> None:
    case = portal()
    assert set(case) == {"nivelSigilo", "siglaTribunal", "numeroProcesso", "tramitacaoAtual", "tramitacoes"}
    assert (case["numeroProcesso"], case["siglaTribunal"]) == (NUMBER, "TRF5")
    assert isinstance(case["nivelSigilo"], int)
    docket = case["tramitacaoAtual"]
    assert {
        "dataHoraAjuizamento", "instancia", "grau", "valorAcao", "classe", "assunto", "distribuicao", "movimentos",
        "partes", "tribunal", "documentos",
    } <= set(docket)  # fmt: skip
    assert all(isinstance(docket[name], list) for name in ("classe", "assunto", "distribuicao", "movimentos", "partes"))
    assert isinstance(docket["grau"], dict) and isinstance(docket["tribunal"], dict)


def test_the_other_degree_leaves_the_current_one_out() -> None:
    case = portal()
    assert len(case["tramitacoes"]) == 1
    degrees = {case["tramitacaoAtual"]["grau"]["sigla"], case["tramitacoes"][0]["grau"]["sigla"]}
    assert degrees == {"G1", "G2"}
    assert case["tramitacaoAtual"]["documentos"] and case["tramitacoes"][0]["documentos"]


def test_a_case_of_one_degree_has_no_other() -> None:
    one = orjson.loads(portal_case(generate(NUMBER, CaseSetting(documents=5, degrees=1))))[0]
    assert one["tramitacoes"] == []


def test_portal_documents_have_their_uuid_only_in_the_hrefs() -> None:
    seen = []
    for document in portal_documents():
        assert "id" not in document
        binary, text = HREF.fullmatch(document["hrefBinario"]), HREF.fullmatch(document["hrefTexto"])
        assert binary and text and binary[1] == text[1]
        seen.append(binary[1])
    assert sorted(seen) == sorted(CASE.by_id)


def test_documents_miss_what_the_source_misses() -> None:
    documents = portal_documents()
    assert any("arquivo" not in document for document in documents)
    assert any("codigo" not in document["tipo"] for document in documents)
    described = next(document for document in documents if "arquivo" in document)
    assert set(described["arquivo"]) == {"tipo", "quantidadePaginas", "tamanho"}
    assert all(isinstance(document["nivelSigilo"], str) for document in documents)


def test_one_filing_comes_under_two_uuids() -> None:
    origins = [document["idOrigem"] for document in portal_documents()]
    assert len(set(origins)) < len(origins)


def test_data_lake_documents_have_an_id_and_no_hrefs() -> None:
    listed = orjson.loads(data_lake_documents(CASE))
    assert sorted(document["id"] for document in listed) == sorted(CASE.by_id)
    assert not any("hrefBinario" in document or "hrefTexto" in document for document in listed)
    [case] = orjson.loads(data_lake_case(CASE))
    assert "tramitacaoAtual" not in case
    assert len(case["tramitacoes"]) == 2
    inside = [document["id"] for docket in case["tramitacoes"] for document in docket["documentos"]]
    assert sorted(inside) == sorted(CASE.by_id)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001 - naive, as the source's
def test_timestamps_are_naive_with_one_to_three_fraction_digits(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    text = naive_timestamp(moment)
    assert TIMESTAMP.fullmatch(text)
    assert datetime.fromisoformat(text.ljust(23, "0")) == moment


def test_fraction_digits_vary_over_a_case() -> None:
    lengths = {len(document["dataHoraJuntada"].partition(".")[2]) for document in portal_documents()}
    assert lengths >= {2, 3}


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
