"""Listed documents: in whatever place and form they are listed, each is in the case, once."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.case import CaseDocument
from sources.pdpj.parse.case import parse_data_lake_case, parse_portal_case
from sources.pdpj.parse.documents import Listing, listed_in, read_documents
from sources.pdpj.wire.addresses import content_path, is_source_path, our_id

NUMBER = "1000145-91.2023.8.26.0597"
OTHER = "5000315-75.2025.4.03.6327"
FIRST = "0f3a8a52-6a3b-4f55-9d2e-0c2f4b8a1d11"
SECOND = "1f3a8a52-6a3b-4f55-9d2e-0c2f4b8a1d22"
PATH = f"/processos/{NUMBER}/documentos/{FIRST}/binario"


def read(*lists: Any) -> list[CaseDocument]:
    return read_documents([Listing(items) for items in lists], NUMBER)


@pytest.mark.parametrize(
    "href",
    [
        PATH,
        PATH.lstrip("/"),
        f"/api/v2{PATH}",
        f"https://portaldeservicos.pdpj.jus.br/api/v2{PATH}",
        f"{PATH}?numeroProcesso=x&idDocumento=y",
        f"{PATH}#x",
        f"  {PATH}/ ",
        f"documentos/{FIRST}/binario",
        f"/processos/10001459120238260597/documentos/{FIRST.upper()}/binario",
        f"/arquivos/{FIRST}/download",
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_an_address_is_read_in_every_form(href: str, inside: bool) -> None:
    item = {"arquivo": {"hrefBinario": href}} if inside else {"hrefBinario": href}
    (found,) = read([item])
    assert (found.document_id, found.source_path, found.source_id) == (FIRST, PATH, FIRST)


def test_a_document_of_a_joined_case_keeps_its_number() -> None:
    (found,) = read([{"hrefBinario": f"/processos/{OTHER}/documentos/{FIRST}/binario"}])
    assert found.source_path == content_path(OTHER, FIRST)


@pytest.mark.parametrize("source_id", ["431883733", 431883733, "ação/1 ?#%", "AB-12", "x" * 300, "0f3a8a52"])
def test_an_id_of_any_form_is_fetched_and_ours_follows_from_it(source_id: str | int) -> None:
    (found,) = read([{"id": source_id}])
    assert found.source_id == str(source_id)
    assert found.source_path is not None
    assert is_source_path(found.source_path)
    assert str(uuid.UUID(found.document_id)) == found.document_id
    assert read([{"nome": "x"}, {"id": source_id}])[1].document_id == found.document_id
    assert our_id(OTHER, str(source_id)) != found.document_id


def test_a_uuid_stays_what_it_is() -> None:
    (found,) = read([{"id": FIRST.upper()}])
    assert (found.document_id, found.source_id) == (FIRST, FIRST)


@pytest.mark.parametrize("source_id", ["", " ", ".", "..", "x" * 301, "a\x00\x01b\n", None, True, [], {}])
def test_what_cannot_be_an_id_leaves_a_document_without_an_address(source_id: Any) -> None:
    (found,) = read([{"id": source_id, "nome": "Laudo"}])
    assert (found.name, found.source_path) == ("Laudo", None)


def test_an_address_that_goes_missing_or_comes_later_does_not_make_two_documents() -> None:
    without = {"idCodex": 7, "nome": "Laudo"}
    (known,) = read([without])
    (found,) = read([without], [{**without, "hrefBinario": PATH}])
    assert found.document_id == FIRST
    assert found.shadow_id == known.document_id


def test_two_of_one_list_are_two_however_alike_they_are() -> None:
    alike = {"idCodex": 7, "nome": "Laudo", "sequencia": 1}
    assert len(read([alike, alike, {**alike, "hrefBinario": PATH}])) == 3
    assert len(read([alike, alike], [alike, alike])) == 2


def test_the_same_internal_number_in_two_courts_is_two_documents() -> None:
    item = {"idOrigem": "9001", "nome": "Acórdão"}
    both = read_documents([Listing([item], court="TJSP"), Listing([item], court="STJ")], NUMBER)
    assert [found.court for found in both] == ["TJSP", "STJ"]


@pytest.mark.parametrize(
    ("file", "rendition"),
    [
        ({"tamanho": 0, "tamanhoTexto": 812}, "text"),
        ({"tamanho": None, "tamanhoTexto": 812}, "text"),
        ({"tamanho": 4096, "tamanhoTexto": 812}, "binary"),
        ({"tamanho": 0, "tamanhoTexto": 0}, "binary"),
        ({"tamanho": 0}, "binary"),
        ({"tamanhoTexto": 812}, "binary"),
        ({}, "binary"),
        (None, "binary"),
    ],
)
def test_a_file_without_bytes_whose_text_has_some_is_fetched_as_text(file: object, rendition: str) -> None:
    (found,) = read([{"id": FIRST, "nome": "a", "arquivo": file}])
    ending = {"text": "texto", "binary": "binario"}[rendition]
    assert (found.rendition, found.source_path) == (rendition, f"/processos/{NUMBER}/documentos/{FIRST}/{ending}")


def test_a_binary_in_one_list_wins_over_a_text_in_another() -> None:
    text = {"hrefTexto": f"/processos/{NUMBER}/documentos/{FIRST}/texto", "nome": "a"}
    assert [found.rendition for found in read([text])] == ["text"]
    (found,) = read([text], [{"hrefBinario": PATH}])
    assert (found.rendition, found.source_path, found.name) == ("binary", PATH, "a")


@pytest.mark.parametrize(
    "listed",
    [
        [{"id": FIRST}, {"id": SECOND}],
        {"documentos": [{"id": FIRST}, {"id": SECOND}]},
        {"content": [{"id": FIRST}, {"id": SECOND}]},
        {"documentos": {"content": [{"id": FIRST}, {"id": SECOND}]}},
        {"a": {"id": FIRST}, "b": {"id": SECOND}},
        [FIRST, SECOND],
    ],
)
def test_a_list_comes_as_array_or_as_object(listed: Any) -> None:
    assert [found.document_id for found in read(listed)] == [FIRST, SECOND]
    docket = {"documentos": listed}
    for case in (
        {"tramitacaoAtual": docket},
        {"tramitacoes": docket},
        {"tramitacoes": [{"x": 1}, docket]},
        {"documentos": listed},
        {"dadosBasicos": docket, "tramitacaoAtual": {"documentos": None}},
    ):
        body = json.dumps([{"numeroProcesso": NUMBER, **case}]).encode()
        assert {found.document_id for found in parse_portal_case(body, NUMBER).documents} == {FIRST, SECOND}
        assert {found.document_id for found in parse_data_lake_case(body, b"x", NUMBER).documents} == {FIRST, SECOND}


def test_a_single_object_is_one_document() -> None:
    assert [found.name for found in read({"nome": "Laudo", "hrefBinario": PATH})] == ["Laudo"]


@pytest.mark.parametrize(
    "listed", [b"", b"<html>", b"null", b"[]", b"{}", b'{"documentos":null}', b'{"code":500}', b"3"]
)
def test_a_bad_list_costs_nothing_but_itself(listed: bytes) -> None:
    body = json.dumps([{"numeroProcesso": NUMBER, "tramitacoes": [{"documentos": [{"id": FIRST}]}]}]).encode()
    case = parse_data_lake_case(body, listed, NUMBER)
    assert [found.document_id for found in case.documents] == [FIRST]
    assert not case.complete


def test_the_list_of_another_case_is_not_this_ones() -> None:
    body = json.dumps([{"numeroProcesso": NUMBER, "tramitacoes": [{"documentos": [{"id": FIRST}]}]}]).encode()
    listed = json.dumps({"numeroProcesso": OTHER, "documentos": [{"id": SECOND}]}).encode()
    assert [found.document_id for found in parse_data_lake_case(body, listed, NUMBER).documents] == [FIRST]


def test_one_number_in_two_courts_is_one_case_with_all_documents() -> None:
    def element(court: str, degree: str, source_id: str) -> dict[str, Any]:
        docket = {"grau": {"sigla": degree}, "instancia": f"{degree}_I", "documentos": [{"id": source_id}]}
        return {"numeroProcesso": NUMBER, "siglaTribunal": court, "tramitacaoAtual": docket}

    body = json.dumps([element("TJSP", "G1", FIRST), element("STJ", "SUP", SECOND)]).encode()
    found = parse_portal_case(body, NUMBER).documents
    assert [(one.court, one.degree, one.instance) for one in found] == [("TJSP", "G1", "G1_I"), ("STJ", "SUP", "SUP_I")]


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from([PATH, FIRST])
FIELDS = st.sampled_from(
    ["id", "idCodex", "idOrigem", "nome", "sequencia", "tipo", "arquivo", "hrefBinario", "hrefTexto", "dataHoraJuntada"]
)
ITEMS = st.lists(st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=3), max_size=6), max_size=8)


@given(ITEMS)
@example([{"id": None, "sequencia": "0\x1f"}])
def test_no_listed_document_is_ever_dropped(items: list[dict[str, Any]]) -> None:
    found = read(items)
    addressed = [one for item in items for one in read([item]) if one.source_path is not None]
    unaddressed = len(items) - len(addressed)
    assert sum(one.source_path is None for one in found) == unaddressed
    assert {one.document_id for one in addressed} == {one.document_id for one in found if one.source_path is not None}
    assert all(one.source_path is None or is_source_path(one.source_path) for one in found)
    assert len({one.document_id for one in found}) == len(found)
    assert list(listed_in(items)) == items
