"""What is kept of one case: at, below and above each bound, and what is said of the rest."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from sources.errors import CaseUnreadable
from sources.pdpj.parse.bounds import MOVEMENT_TEXT, NAME_TEXT, CaseLimits
from sources.pdpj.parse.case import parse_data_lake_case, parse_portal_case
from sources.pdpj.parse.fields import read_json

NUMBER = "1000145-91.2023.8.26.0597"
LIMITS = CaseLimits(documents=3, movements=3, parties=3, subjects=3, representatives=3)


def body(**docket: Any) -> bytes:
    return orjson.dumps([{"numeroProcesso": NUMBER, "tramitacaoAtual": {"grau": "G1", **docket}}])


def documents(count: int) -> list[dict[str, str]]:
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(index))) for index in range(count)]
    return [{"nome": "a", "hrefBinario": f"/processos/{NUMBER}/documentos/{one}/binario"} for one in ids]


@pytest.mark.parametrize(("count", "left_out"), [(2, 0), (3, 0), (4, 1), (1000, 997)])
def test_what_is_beyond_a_bound_is_counted(count: int, left_out: int) -> None:
    many = body(
        documentos=documents(count),
        movimentos=[{"codigo": index} for index in range(count)],
        partes=[{"nome": f"Parte {index}"} for index in range(count)],
        assunto=[{"codigo": index} for index in range(count)],
    )
    case = parse_portal_case(many, NUMBER, LIMITS)
    kept = min(count, 3)
    assert [len(case.documents), len(case.movements), len(case.parties), len(case.subjects)] == [kept] * 4
    kinds = ("documents", "movements", "parties", "subjects")
    assert case.left_out == (dict.fromkeys(kinds, left_out) if left_out else {})
    assert (case.movements_total, case.parties_total) == (count, count)
    assert [party["name"] for party in case.parties] == [f"Parte {index}" for index in range(kept)]


def test_of_too_many_movements_the_newest_of_all_degrees_are_kept() -> None:
    days = [5, 1, 4, 2, 3]
    case = parse_portal_case(
        orjson.dumps(
            [
                {
                    "numeroProcesso": NUMBER,
                    "tramitacaoAtual": {"movimentos": [{"dataHora": f"2024-01-0{day}T12:00:00Z"} for day in days]},
                    "tramitacoes": [{"movimentos": [{"dataHora": "2024-01-09T12:00:00Z"}, {"codigo": 7}]}],
                }
            ]
        ),
        NUMBER,
        LIMITS,
    )
    assert [movement["at"][:10] for movement in case.movements] == ["2024-01-09", "2024-01-05", "2024-01-04"]
    assert case.left_out == {"movements": 4}


def test_representatives_are_bounded_for_each_party_and_counted_for_the_case() -> None:
    party = {"nome": "Parte", "representantes": [{"nome": f"Dra. {index}"} for index in range(5)]}
    case = parse_portal_case(body(partes=[party, party]), NUMBER, LIMITS)
    assert [len(one["representatives"]) for one in case.parties] == [3, 3]
    assert case.left_out == {"representatives": 4}


def test_the_list_of_the_data_lake_is_bounded_too() -> None:
    case = parse_data_lake_case(body(), orjson.dumps(documents(5)), NUMBER, LIMITS)
    assert len(case.documents) == 3 and case.left_out == {"documents": 2}


@pytest.mark.parametrize("length", [-1, 0, 1, 20_000])
def test_texts_are_cut_at_their_bound(length: int) -> None:
    long = body(
        movimentos=[{"descricao": "m" * (MOVEMENT_TEXT + length)}],
        partes=[{"nome": "p" * (NAME_TEXT + length)}],
    )
    case = parse_portal_case(long, NUMBER)
    assert len(case.movements[0]["description"]) == MOVEMENT_TEXT + min(length, 0)
    assert len(case.parties[0]["name"]) == NAME_TEXT + min(length, 0)


@pytest.mark.parametrize("digits", [1, 400, 401, 4300, 4301, 100_000])
def test_a_number_of_any_length_hides_no_case(digits: int) -> None:
    number = b"9" * digits
    content = b'[{"numeroProcesso":"%b","tramitacaoAtual":{"valorAcao":%b,"movimentos":[{"codigo":1}]}}]'
    case = parse_portal_case(content % (NUMBER.encode(), number), NUMBER)
    assert case.movements_total == 1
    # And where the strict reader is not the one that reads: a lone surrogate.
    assert read_json(b'{"a": %b, "b": "\\ud800"}' % number)["b"] == "\ud800"


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
def test_deep_nesting_is_an_answer_that_cannot_be_read(content: bytes) -> None:
    with pytest.raises(CaseUnreadable) as caught:
        parse_portal_case(content, NUMBER)
    assert caught.value.code == "case_unreadable"


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    twice = (
        b'[{"numeroProcesso":"%b","tramitacaoAtual":{"movimentos":[{"codigo":1}],"movimentos":[]}}]' % NUMBER.encode()
    )
    assert parse_portal_case(twice, NUMBER).movements == []
