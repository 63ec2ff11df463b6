"""The source's JSON: what is read from it, what may be missing, and that nothing in it can raise anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.case import Case
from sources.errors import ProcessNotFound, SourceError, UnexpectedAnswer
from sources.pdpj.parse.case import parse_data_lake_case, parse_portal_case
from sources.pdpj.parse.documents import binary_path, is_source_path

NUMBER = "1000145-91.2023.8.26.0597"
FIRST = "0f3a8a52-6a3b-4f55-9d2e-0c2f4b8a1d11"
SECOND = "1f3a8a52-6a3b-4f55-9d2e-0c2f4b8a1d22"
THIRD = "2f3a8a52-6a3b-4f55-9d2e-0c2f4b8a1d33"


def document(uuid: str, **changes: Any) -> dict[str, Any]:
    path = f"/processos/{NUMBER}/documentos/{uuid}"
    return {
        "sequencia": 3,
        "dataHoraJuntada": "2023-05-04T10:20:30.12",
        "nome": "Petição inicial",
        "nivelSigilo": "PUBLICO",
        "tipo": {"codigo": 50, "nome": "Petição"},
        "hrefBinario": f"{path}/binario",
        "hrefTexto": f"{path}/texto",
        "arquivo": {"tipo": "APPLICATION_PDF", "quantidadePaginas": 4, "tamanho": 12345},
        **changes,
    }


def docket(**changes: Any) -> dict[str, Any]:
    return {
        "dataHoraAjuizamento": "2023-05-04T10:20:30.1",
        "grau": {"sigla": "G1", "nome": "1º Grau", "numero": 1},
        "valorAcao": 1500.5,
        "classe": [{"codigo": 7, "descricao": "Procedimento Comum Cível"}],
        "assunto": [{"codigo": 10, "descricao": "Indenização"}],
        "movimentos": [{"dataHora": "2023-05-05T00:00:00.0", "codigo": 26, "descricao": "Distribuição"}],
        "partes": [
            {
                "polo": "ATIVO",
                "tipoParte": "AUTOR",
                "nome": "Fulana",
                "documentosPrincipais": [{"numero": "12345678909", "tipo": "CPF"}],
                "representantes": [{"nome": "Beltrano", "tipoRepresentacao": "ADVOGADO"}],
            }
        ],
        "tribunal": {"sigla": "TJSP"},
        "documentos": [],
        **changes,
    }


def answer(**changes: Any) -> dict[str, Any]:
    return {
        "numeroProcesso": NUMBER,
        "nivelSigilo": 0,
        "siglaTribunal": "TJSP",
        "tramitacaoAtual": docket(documentos=[document(FIRST)]),
        "tramitacoes": [],
        **changes,
    }


def portal(value: Any) -> Case:
    return parse_portal_case(orjson.dumps(value), NUMBER)


def test_case_fields() -> None:
    case = portal([answer()])
    assert (case.process_number, case.court, case.degree, case.class_) == (
        NUMBER,
        "TJSP",
        "G1",
        "Procedimento Comum Cível",
    )
    assert case.filed_at == datetime(2023, 5, 4, 13, 20, 30, 100_000, UTC)
    assert case.claim_value == Decimal("1500.50")
    assert case.secrecy_level == 0
    assert case.subjects == [{"code": "10", "description": "Indenização"}]
    assert case.parties == [
        {
            "name": "Fulana",
            "role": "AUTOR",
            "pole": "ATIVO",
            "representatives": [{"name": "Beltrano", "role": "ADVOGADO"}],
        }
    ]
    assert case.movements == [{"at": "2023-05-05T03:00:00.000000Z", "code": "26", "description": "Distribuição"}]


def test_tax_numbers_are_not_kept() -> None:
    assert "12345678909" not in repr(portal([answer()]))


def test_document_fields() -> None:
    (found,) = portal([answer()]).documents
    assert found.document_id == FIRST
    assert found.source_path == f"/processos/{NUMBER}/documentos/{FIRST}/binario"
    assert found.filed_at == datetime(2023, 5, 4, 13, 20, 30, 120_000, UTC)
    assert (found.name, found.type, found.type_code) == ("Petição inicial", "Petição", "50")
    assert (found.sequence, found.pages, found.size) == (3, 4, 12345)
    assert (found.content_type, found.secrecy_level) == ("application/pdf", "PUBLICO")


def test_documents_of_every_docket_once_and_in_order() -> None:
    case = portal(
        [
            answer(
                tramitacaoAtual=docket(documentos=[document(SECOND, arquivo=None), document(FIRST)]),
                tramitacoes=[docket(documentos=[document(THIRD), document(SECOND), document(FIRST)])],
            )
        ]
    )
    assert [found.document_id for found in case.documents] == [SECOND, FIRST, THIRD]
    assert case.documents[0].size == 12345  # the second listing filled in what the first left out


def test_missing_file_and_type_code() -> None:
    lean = document(FIRST, tipo={"nome": "Decisão"}, nome=None)
    del lean["arquivo"]
    (found,) = portal([answer(tramitacaoAtual=docket(documentos=[lean]))]).documents
    assert (found.name, found.type_code, found.size, found.pages, found.content_type) == (
        "Decisão",
        None,
        None,
        None,
        None,
    )


def test_a_document_with_a_text_alone_is_fetched_as_text() -> None:
    (found,) = portal([answer(tramitacaoAtual=docket(documentos=[document(FIRST, hrefBinario=None)]))]).documents
    assert (found.rendition, found.source_path) == ("text", f"/processos/{NUMBER}/documentos/{FIRST}/texto")


def test_documents_without_an_address_are_in_the_case() -> None:
    bare = {"hrefBinario": "", "hrefTexto": None}
    items = [document(FIRST), document(FIRST, nome="a", **bare), document(FIRST, nome="a", **bare), {"nome": "b"}, None]
    case = portal([answer(tramitacaoAtual=docket(documentos=items))])
    assert ([found.name for found in case.documents], case.unaddressed) == (["Petição inicial", "a", "a", "b"], 3)
    assert len({found.document_id for found in case.documents}) == 4
    again = portal([answer(tramitacaoAtual=docket(documentos=items))])
    assert [found.document_id for found in again.documents] == [found.document_id for found in case.documents]


@pytest.mark.parametrize(
    "href",
    [
        f"https://evil.example/processos/{NUMBER}/documentos/{FIRST}/binario",
        f"//evil.example/api/v2/processos/{NUMBER}/documentos/{FIRST}/binario?x=1",
        f"/../../admin/processos/{NUMBER}/documentos/{FIRST.upper()}/binario",
    ],
)
def test_a_hostile_address_gives_nothing_but_its_uuid(href: str) -> None:
    items = [document(FIRST, hrefBinario=href, hrefTexto=None)]
    (found,) = portal([answer(tramitacaoAtual=docket(documentos=items))]).documents
    assert found.source_path == binary_path(NUMBER, FIRST)


def test_source_path_shape() -> None:
    assert is_source_path(binary_path(NUMBER, FIRST))
    for path in (
        "",
        "/",
        f"{binary_path(NUMBER, FIRST)}?x",
        f"/x{binary_path(NUMBER, FIRST)}",
        "/processos/../binario",
    ):
        assert not is_source_path(path)


@pytest.mark.parametrize("body", [b"[]", b'{"content":[]}', b' {"content": [], "last": true} '])
def test_unknown_case(body: bytes) -> None:
    with pytest.raises(ProcessNotFound):
        parse_portal_case(body, NUMBER)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"3",
        b'"x"',
        b"{}",
        b"[1]",
        b"[null]",
        b"[{}]",
        b'[{"numeroProcesso":"1"}]',
        b"[" * 9999,
    ],
)
def test_broken_shapes_are_explained(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer) as raised:
        parse_portal_case(body, NUMBER)
    assert raised.value.code in {"unexpected_answer", "case_unreadable"}
    assert len(raised.value.message) > 10


def test_another_case_is_not_taken_for_this_one() -> None:
    with pytest.raises(UnexpectedAnswer, match="another case"):
        portal([answer(numeroProcesso="5000315-75.2025.4.03.6327")])
    digits = NUMBER.replace("-", "").replace(".", "")
    assert portal([answer(numeroProcesso=digits)]).process_number == NUMBER


def test_a_page_that_has_a_next_one_is_read_and_not_taken_for_the_whole_list() -> None:
    page = orjson.dumps({"content": [document(SECOND)], "last": False})
    case = parse_data_lake_case(orjson.dumps([answer()]), page, NUMBER)
    assert [found.document_id for found in case.documents] == [FIRST, SECOND]
    assert not case.complete


def test_data_lake_documents_have_ids_and_the_latest_docket_is_current() -> None:
    old = docket(dataHoraUltimaDistribuicao="2023-05-04T10:20:30.1", documentos=[{"id": FIRST, "nome": "a"}])
    new = docket(dataHoraUltimaDistribuicao="2024-05-04T10:20:30.1", grau={"sigla": "G2"})
    body = [{"numeroProcesso": NUMBER, "tramitacoes": [old, new]}]
    case = parse_data_lake_case(
        orjson.dumps(body), orjson.dumps([{"id": SECOND.upper(), "nome": "b"}, {"id": FIRST}]), NUMBER
    )
    assert case.degree == "G2"
    assert [found.document_id for found in case.documents] == [FIRST, SECOND]
    assert case.documents[0].source_path == binary_path(NUMBER, FIRST)
    alone = parse_data_lake_case(orjson.dumps(body), None, NUMBER)
    assert [found.document_id for found in alone.documents] == [FIRST]


def test_a_case_is_complete_when_there_are_documents_and_each_can_be_read() -> None:
    def lake(listed: list[Any] | None, **fields: Any) -> Case:
        body = [{"numeroProcesso": NUMBER, "tramitacoes": [docket(**{"documentos": [], **fields})]}]
        return parse_data_lake_case(orjson.dumps(body), None if listed is None else orjson.dumps(listed), NUMBER)

    held = [{"id": FIRST, "nome": "a"}]
    assert lake([{"id": FIRST}]).complete
    assert not lake([]).complete
    assert not lake(None, documentos=held).complete
    assert not lake([], documentos=held).complete
    assert not lake([{"id": FIRST}, {"nome": "without an address"}]).complete
    assert portal([answer()]).complete


def test_text_that_the_database_cannot_keep_is_cleaned() -> None:
    body = json.dumps([answer(tramitacaoAtual=docket(documentos=[document(FIRST, nome="a\x00b\ud800c")]))]).encode()
    (found,) = parse_portal_case(body, NUMBER).documents
    assert found.name == "ab?c"
    latin = json.dumps([answer()], ensure_ascii=False).encode("latin-1")
    assert parse_portal_case(latin, NUMBER).documents[0].name == "Petição inicial"


@pytest.mark.parametrize("value", [float("nan"), 1e300, "mil", True, -(10**400), None, [], 10**16])
def test_amounts_that_do_not_fit_are_missing(value: Any) -> None:
    body = json.dumps([answer(tramitacaoAtual=docket(valorAcao=value))]).encode()
    assert parse_portal_case(body, NUMBER).claim_value is None


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.9", "2023-13-01T00:00:00", 5, "", "x" * 99]
)
def test_times_that_do_not_exist_are_missing(value: Any) -> None:
    case = portal([answer(tramitacaoAtual=docket(dataHoraAjuizamento=value))])
    assert case.filed_at is None or case.filed_at.year < 10_000


KEYS = st.sampled_from(
    """
    numeroProcesso nivelSigilo siglaTribunal tramitacaoAtual tramitacoes documentos hrefBinario hrefTexto id arquivo
    tipo tamanho quantidadePaginas dataHoraJuntada grau classe assunto movimentos partes representantes nome content
    valorAcao dataHora codigo descricao sigla last sequencia dataHoraUltimaDistribuicao tribunal
    """.split()  # noqa: SIM905 - a column of forty names says no more
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [NUMBER, FIRST, f"/processos/{NUMBER}/documentos/{FIRST}/binario", "2023-05-04T10:20:30.1", "APPLICATION_X"]
    )
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=40
)


@settings(max_examples=400)
@given(JSON, JSON)
def test_any_json_gives_a_case_or_our_own_error(value: Any, listed: Any) -> None:
    shaped = [value, [value], [{**answer(), **value}] if isinstance(value, dict) else [answer(tramitacaoAtual=value)]]
    for candidate in shaped:
        body, list_body = json.dumps(candidate).encode(), json.dumps(listed).encode()
        for listing in (None, list_body):
            try:
                case = parse_data_lake_case(body, listing, NUMBER) if listing else parse_portal_case(body, NUMBER)
            except SourceError:
                continue
            orjson.dumps([case.subjects, case.parties, case.movements])
            ids = [found.document_id for found in case.documents]
            assert len(ids) == len(set(ids))
            assert all(found.source_path is None or is_source_path(found.source_path) for found in case.documents)
            assert all("\x00" not in found.name for found in case.documents)


@given(st.binary(max_size=200))
def test_any_bytes_give_our_own_error(body: bytes) -> None:
    with pytest.raises(SourceError):
        parse_portal_case(body, NUMBER)
