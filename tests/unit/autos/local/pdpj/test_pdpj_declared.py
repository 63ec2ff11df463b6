"""The simulator's data lake answers as the lake's own OpenAPI document declares, without a field that it does not."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from autos.local.pdpj.bodies import Body
from autos.local.pdpj.control_model import CaseSetting, Oddity
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.server import Simulator
from autos.local.pdpj.source import Source
from shared.domain.cnj import make

EXCERPT: Final = json.loads(
    (Path(__file__).parents[4] / "field" / "openapi-codex-1.7.30-excerpt.json").read_text(encoding="utf-8")
)
BASE: Final = f"/datalake{EXCERPT['basePath']}"
NULLABLE: Final = {
    *("dataBaixa", "dataSentenca", "dataSuspensao", "numeroHistorico", "competencia", "idCompetencia"),
    *("tipoPrioridade", "custasFinais", "custasIniciais", "custasRecolhidas", "custasRecursais"),
    *("dataHoraExclusao", "anoEleicao", "intervencaoMP", "juizo100Digital"),
    *("idDocumento", "magistrado", "usuario"),
}
"""What answers were seen with as null. The document declares no null at all."""
NUMBERS: Final = [make(sequence, 2021, 8, 26, 9999) for sequence in range(1, 13)]
JSON_ROUTES: Final = [
    (path, operations["get"]["responses"]["200"]["schema"])
    for path, operations in EXCERPT["paths"].items()
    if operations.get("get", {}).get("produces") == ["application/json"] and not path.endswith("/texto")
]


def strict() -> dict[str, Any]:
    """The definitions with every undeclared field forbidden, and null where it was seen."""
    definitions: dict[str, Any] = copy.deepcopy(EXCERPT["definitions"])
    for definition in definitions.values():
        definition["additionalProperties"] = False
        for name in NULLABLE & definition.get("properties", {}).keys():
            definition["properties"][name] = {"anyOf": [definition["properties"][name], {"type": "null"}]}
    return definitions


DEFINITIONS: Final = strict()


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Swagger 2 writes its schemas as draft 4 of JSON Schema."""
    jsonschema.Draft4Validator({**schema, "definitions": DEFINITIONS}).validate(value)


@pytest.fixture
def source() -> Source:
    return Source(clock=lambda: datetime.now(UTC), monotonic=lambda: 0.0, access_tokens=["token"])


def ask(source: Source, path: str, method: str = "GET") -> Reply:
    path, _, query = path.partition("?")
    answer = Simulator(source)(Request(method, path, query, "Bearer token", b"", True))
    assert isinstance(answer, Reply)
    return answer


def content(reply: Reply) -> bytes:
    return b"".join(reply.body.segments()) if isinstance(reply.body, Body) else reply.body


def filled(path: str, number: str, document_id: str = "") -> str:
    return f"{BASE}{path}".replace("{numeroProcesso}", number).replace("{idDocumento}", document_id)


@pytest.mark.parametrize(("path", "schema"), JSON_ROUTES, ids=[path.rpartition("/")[2] for path, _ in JSON_ROUTES])
def test_every_json_answer_is_as_declared(source: Source, path: str, schema: dict[str, Any]) -> None:
    for position, number in enumerate(NUMBERS):
        degrees = 1 if position % 2 else 2
        source.cases.put(
            number, CaseSetting(documents=40, degrees=degrees, sealed_percent=20, secrecy_level=position % 6)
        )
        reply = ask(source, filled(path, number))
        assert reply.status == 200 and b"application/json" in reply.headers
        validate(json.loads(content(reply)), schema)


def test_the_oddities_that_are_declared_too_stay_within_the_declaration(source: Source) -> None:
    declared = (
        OddityKind.SIZE_HINT, OddityKind.NO_FILE, OddityKind.ID_NOT_UUID, OddityKind.TWO_COURTS, OddityKind.REPLACED,
        OddityKind.DOCKET_SECRECY, OddityKind.LIST_EMPTY, OddityKind.LISTED_AS_OTHER_TYPE, OddityKind.SECRECY_UNKNOWN,
        OddityKind.NO_ADDRESS, OddityKind.DATES_BRAZILIAN, OddityKind.DATES_COMPACT, OddityKind.DATES_ZONED,
    )  # fmt: skip
    for kind in declared:
        source.cases.put(NUMBERS[0], CaseSetting(documents=12, oddities=[Oddity(kind=kind, after_reads=0)]))
        for path, schema in JSON_ROUTES:
            validate(json.loads(content(ask(source, filled(path, NUMBERS[0])))), schema)


def test_a_field_that_is_not_declared_fails(source: Source) -> None:
    source.cases.put(NUMBERS[0], CaseSetting(documents=3, oddities=[Oddity(kind=OddityKind.DOCUMENTS_ON_CASE)]))
    path, schema = JSON_ROUTES[0]
    answer = json.loads(content(ask(source, filled(path, NUMBERS[0]))))
    with pytest.raises(jsonschema.ValidationError, match="documentos"):
        validate(answer, schema)


def test_the_routes_of_a_document_and_of_the_last_update_are_there(source: Source) -> None:
    answered = {path for path, _ in JSON_ROUTES}
    for number in NUMBERS[:3]:
        document_id = source.cases.get(number).case.documents[0].document_id
        for path, operations in EXCERPT["paths"].items():
            if path in answered:
                continue
            [method] = operations
            assert ask(source, filled(path, number, document_id), method.upper()).status == 200, path


def test_a_temporary_address_gives_the_file_without_a_token_and_not_for_ever(source: Source) -> None:
    document = source.cases.get(NUMBERS[0]).case.documents[0]
    path = f"/api/v1/processos/{NUMBERS[0]}/documentos/{document.document_id}"
    address = content(ask(source, f"{BASE}{path}/binario-url")).decode()
    assert address.startswith("http://")
    below = "/" + address.split("/", 3)[3]
    place, _, query = below.partition("?")
    whole = Request("GET", place, query, None, b"", True)
    reply = Simulator(source)(whole)
    assert isinstance(reply, Reply)
    assert content(reply) == content(ask(source, f"{BASE}{path}/binario"))
    late = ask(source, below.partition("=")[0] + "=1")
    assert late.status == 403
    assert ask(source, below.partition("?")[0]).status == 403


def test_an_absent_case_answers_500_on_its_own_routes_and_404_in_the_search(source: Source) -> None:
    source.cases.put(NUMBERS[0], CaseSetting(exists=False))
    for rest in ("", "/documentos", "/movimentos", "/partes", "/ultima-atualizacao"):
        reply = ask(source, f"{BASE}/api/v1/processos/{NUMBERS[0]}{rest}")
        assert (reply.status, set(json.loads(content(reply)))) == (500, {"code", "message"})
    assert json.loads(content(ask(source, f"{BASE}/api/v1/processos/{NUMBERS[0]}/existe"))) is False
    search = ask(source, f"{BASE}/api/v1/processos?numeroProcesso={NUMBERS[0]}")
    assert search.status == 404
    assert set(json.loads(content(search))) == {"code", "message"}
    assert json.loads(content(ask(source, f"/portal/api/v2/processos?numeroProcesso={NUMBERS[0]}"))) == {"content": []}
    assert json.loads(content(ask(source, f"/portal/api/v2/processos/{NUMBERS[0]}"))) == []


def test_a_search_finds_a_case_by_its_number_and_nothing_by_anything_else(source: Source) -> None:
    for root in (f"{BASE}/api/v1/processos", "/portal/api/v2/processos"):
        found = json.loads(content(ask(source, f"{root}?numeroProcesso={NUMBERS[0].digits}")))
        assert [element["numeroProcesso"] for element in found["content"]] == [NUMBERS[0]]
        for query in ("cpfCnpjParte=00000000000", f"numeroProcesso={NUMBERS[0]}&searchAfter=1", ""):
            nothing = ask(source, f"{root}?{query}")
            assert nothing.status == (404 if root == f"{BASE}/api/v1/processos" else 200)
    lake = json.loads(content(ask(source, f"{BASE}/api/v1/processos?numeroProcesso={NUMBERS[0]}")))
    assert set(lake) == {"total", "numberOfElements", "maxElementsSize", "searchAfter", "content"}


def test_html_of_the_lake_is_in_utf_8_names_no_charset_and_may_say_latin_1_of_itself(source: Source) -> None:
    source.cases.put(NUMBERS[0], CaseSetting(documents=1, kind="html_latin1", size=4000))
    document = source.cases.get(NUMBERS[0]).case.documents[0]
    path = f"/processos/{NUMBERS[0]}/documentos/{document.document_id}/binario"
    lake, portal = ask(source, f"{BASE}/api/v1{path}"), ask(source, f"/portal/api/v2{path}")
    assert b"Content-Type: text/html\r\n" in lake.headers
    assert "Decisão" in content(lake).decode("utf-8") and b'encoding="ISO-8859-1"' in content(lake)
    assert b"charset=iso-8859-1" in portal.headers and "Decisão" in content(portal).decode("latin-1")
    assert len(content(lake)) == len(content(portal)) == 4000
