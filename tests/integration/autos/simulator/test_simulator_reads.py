"""Over HTTP: both APIs, bodies with the announced sums, tokens, the shell page, the control API's own errors."""

from __future__ import annotations

import hashlib
import socket
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
import pytest

from autos.local.pdpj.control import (
    ContentKind,
    ExplicitDocument,
    Growth,
    Oddity,
    OddityKind,
    SimulatorControl,
    TokenSetting,
)
from shared.domain.cnj import ProcessNumber
from tests.integration.autos.simulator.paths import case_path, document_path, lake_path


def test_a_case_never_set_is_there_and_its_documents_have_the_announced_sums(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    [case] = client.get(case_path(number)).json()
    dockets = [case["tramitacaoAtual"], *case["tramitacoes"]]
    hrefs = [document["hrefBinario"] for docket in dockets for document in docket["documentos"]]
    expected = pdpj.case(number)
    assert len(hrefs) == len(expected.documents)
    by_id = {document.document_id: document for document in expected.documents}
    for href in hrefs:
        answer = client.get(f"/portal/api/v2{href}")
        document = by_id.pop(href.split("/")[-2])
        assert answer.headers["content-type"] == document.content_type
        assert int(answer.headers["content-length"]) == len(answer.content) == document.size
        assert hashlib.sha256(answer.content).hexdigest() == document.sha256
    assert not by_id


def test_the_number_is_read_without_its_mask_too(client: httpx.Client, number: ProcessNumber) -> None:
    assert client.get(case_path(number.digits)).content == client.get(case_path(number)).content


def test_the_data_lake_lists_the_same_documents(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=30, degrees=2, size=2_000)
    listed = client.get(lake_path(number, "/documentos")).json()["documentos"]
    expected = {document.document_id: document for document in pdpj.case(number, api="datalake").documents}
    assert {document["id"] for document in listed} == set(expected)
    [case] = client.get(lake_path(number)).json()
    assert len(case["tramitacoes"]) == 2
    for document in listed:
        answer = client.get(lake_path(number, f"/documentos/{document['id']}/binario"))
        assert hashlib.sha256(answer.content).hexdigest() == expected[document["id"]].sha256


def test_last_update_changes_when_the_case_grows(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=3, grow=Growth(documents=2))
    before = client.head(lake_path(number, "/ultima-atualizacao"))
    assert len(client.get(lake_path(number, "/documentos")).json()["documentos"]) == 3
    assert client.get(lake_path(number)).status_code == 200
    after = client.head(lake_path(number, "/ultima-atualizacao"))
    assert before.status_code == after.status_code == 200
    assert before.content == b""
    assert before.headers["etag"] != after.headers["etag"]
    assert parsedate_to_datetime(before.headers["last-modified"]) < parsedate_to_datetime(
        after.headers["last-modified"]
    )
    assert len(pdpj.case(number, hashes=False).documents) == 5


def test_the_text_of_a_document(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    document = pdpj.case(number, hashes=False).documents[0]
    answer = client.get(document_path(number, document.document_id).replace("/binario", "/texto"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert str(number) in answer.text


def test_range_is_not_supported(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    pdpj.put_case(number, documents=1, size=5_000)
    document = pdpj.case(number).documents[0]
    answer = client.get(document_path(number, document.document_id), headers={"Range": "bytes=10-20"})
    assert (answer.status_code, len(answer.content)) == (200, 5_000)


def test_an_unknown_case_and_an_unknown_document(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, exists=False)
    assert client.get(case_path(number)).json() == []
    assert client.get(lake_path(number)).status_code == 500
    assert client.head(lake_path(number, "/ultima-atualizacao")).status_code == 500
    assert client.get(case_path("1234567-89.2023.8.02.0001")).json() == []
    pdpj.delete_case(number)
    assert len(client.get(case_path(number)).json()) == 1
    assert client.get(document_path(number, "00000000-0000-4000-8000-000000000000")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/consulta", "/portal/processos/x/documentos/y/binario", "/portal/api/v2"])
def test_any_other_address_is_the_shell_page(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "<app-root" in answer.text and "ng-version=" in answer.text


@pytest.mark.parametrize("kind", list(ContentKind))
def test_every_type_of_content_is_served_as_what_it_is(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, kind: ContentKind
) -> None:
    pdpj.put_case(number, documents=1, kind=kind, size=20_000)
    document = pdpj.case(number).documents[0]
    answer = client.get(document_path(number, document.document_id))
    assert answer.headers["content-type"] == kind.content_type
    assert hashlib.sha256(answer.content).hexdigest() == document.sha256


def test_a_route_that_the_lake_does_not_have_is_its_gateways_404(client: httpx.Client, number: ProcessNumber) -> None:
    answer = client.get(lake_path(number, "/anexos"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")


def test_what_can_be_switched_on_is_listed(pdpj: SimulatorControl) -> None:
    names = [switch.name for switch in pdpj.switches()]
    assert {"text_only", "firewall_akamai", "replaced"} <= set(names)


def test_an_absolute_address_names_the_host_that_was_asked(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=1, degrees=1, oddities=[Oddity(kind=OddityKind.HREF_ABSOLUTE)])
    [case] = client.get(case_path(number)).json()
    [document] = case["tramitacaoAtual"]["documentos"]
    assert document["hrefBinario"].startswith(f"{pdpj.address}/portal/api/v2/processos/")
    assert client.get(document["hrefBinario"]).status_code == 200


def test_documents_chosen_one_by_one(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    chosen = UUID("11111111-2222-4333-8444-555555555555")
    wrong = ExplicitDocument(document_id=chosen, name="Ofício", kind=ContentKind.PDF, size=900, served_as="text/plain")
    pdpj.put_case(number, documents=[ExplicitDocument(), wrong], degrees=1)
    [case] = client.get(case_path(number)).json()
    assert case["tramitacaoAtual"]["documentos"][0]["nome"] == "Ofício"
    answer = client.get(document_path(number, str(chosen)))
    assert (answer.headers["content-type"], len(answer.content), answer.content[:5]) == ("text/plain", 900, b"%PDF-")
    assert hashlib.sha256(answer.content).hexdigest() == pdpj.case(number).documents[1].sha256


def test_reads_need_a_valid_token(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        answer = httpx.get(f"{pdpj.address}{case_path(number)}", headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["www-authenticate"]
    settings = {"Authorization": "Bearer token-of-the-settings"}
    assert client.get(case_path(number), headers=settings).status_code == 200
    pdpj.revoke_tokens()
    assert client.get(case_path(number)).status_code == 401
    assert client.get(case_path(number), headers=settings).status_code == 401
    pdpj.reset()
    assert client.get(case_path(number), headers=settings).status_code == 200


def test_the_token_endpoint_speaks_keycloak(pdpj: SimulatorControl, number: ProcessNumber) -> None:
    with httpx.Client(trust_env=False) as anybody:
        form = {"grant_type": "client_credentials", "client_id": "autos", "client_secret": "any"}
        answer = anybody.post(pdpj.token_url, data=form)
        assert answer.status_code == 200
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)
        assert "refresh_token" not in answer.json()
        token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert anybody.get(f"{pdpj.address}{case_path(number)}", headers=token).status_code == 200

        first = pdpj.issue_tokens().refresh_token
        renewed = anybody.post(pdpj.token_url, data={"grant_type": "refresh_token", "refresh_token": first})
        assert renewed.json()["refresh_token"] != first
        reused = anybody.post(pdpj.token_url, data={"grant_type": "refresh_token", "refresh_token": first})
        assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")

        pdpj.configure_tokens(TokenSetting(client_id="autos", client_secret="right", lock_after=5))
        assert anybody.post(pdpj.token_url, data=form, auth=("autos", "right")).status_code == 200
        for _ in range(5):
            wrong = anybody.post(pdpj.token_url, data=form)
            assert (wrong.status_code, wrong.json()["error"]) == (401, "unauthorized_client")
        locked = anybody.post(pdpj.token_url, data=form, auth=("autos", "right"))
        assert (locked.status_code, locked.json()["error_description"]) == (400, "Account disabled")
        assert pdpj.metrics().account_locked
        assert anybody.post(pdpj.token_url, data={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
        assert anybody.post(pdpj.token_url, data={}).json()["error"] == "invalid_request"
        assert anybody.get(pdpj.token_url).status_code == 405


def test_a_setting_that_is_not_valid_is_refused_with_its_reason(pdpj: SimulatorControl, number: ProcessNumber) -> None:
    with httpx.Client(base_url=f"{pdpj.address}/_control/", trust_env=False) as control:
        assert control.put(f"cases/{number}", json={"dokuments": 3}).status_code == 422
        assert control.put("cases/123", json={}).status_code == 422
        unknown = control.put(f"cases/{number}", json={"failures": [{"kind": "earthquake"}]})
        assert unknown.status_code == 422 and "earthquake" not in unknown.json()["errors"][0]["type"]
        assert control.put("source", content=b"not JSON").status_code == 422
        assert control.get("nothing").status_code == 404
        assert control.post(f"cases/{number}").status_code == 405
        plain = {"documents": 12, "size": 100_000}
        assert control.put(f"cases/{number}", json=plain).json()["documents"] == 12


def test_a_request_that_is_no_http_is_answered_400(pdpj: SimulatorControl) -> None:
    host, port = pdpj.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"HELO simulator\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(pdpj: SimulatorControl, number: ProcessNumber) -> None:
    pdpj.put_case(number, documents=2, size=700_000)
    first, second = (document.document_id for document in pdpj.case(number, hashes=False).documents)
    host, port = pdpj.address.removeprefix("http://").split(":")
    requests = b"".join(
        f"GET {document_path(number, document_id)} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer token-of-the-settings\r\n{end}\r\n".encode()
        for document_id, end in ((first, ""), (second, "Connection: close\r\n"))
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(requests)
        received = b""
        while chunk := connection.recv(1 << 20):
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert 0 < received.index(first.encode()) < received.index(f'filename="{second}'.encode())
    assert len(received) > 1_400_000
