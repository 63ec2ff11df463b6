"""``autos doctor --source`` against the simulator, and against a server that plays one failure after the other."""

from __future__ import annotations

import base64
import json
import socketserver
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autos.local.pdpj.control import SimulatorControl
from autos.local.pdpj.failures import FailureKind
from autos.local.pdpj.process import running_simulator
from autos.main import app

NUMBER = "1000145-91.2023.8.26.0597"
SECRET = "secret-of-the-test"

Doctor = Callable[..., Result]


class Server(socketserver.ThreadingTCPServer):
    """Gives ``answer`` to every request but those for a token, which get ``tokens``; b"" cuts the connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answer = self.tokens = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        first = self.rfile.read(1)
        if first == b"\x16":  # TLS
            return
        first += self.rfile.readline()
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        self.wfile.write(self.server.tokens if first.startswith(b"POST /token") else self.server.answer)


def said(status: str, body: str | bytes, kind: str = "text/html") -> bytes:
    content = body if isinstance(body, bytes) else body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def doctor(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    def run(*arguments: str, **environment: str) -> Result:
        given = {
            "AUTOS_PDPJ_BASE_URL": server.url,
            "AUTOS_PDPJ_ACCESS_TOKEN": SECRET,
            "AUTOS_DATA_DIR": str(tmp_path),
            "AUTOS_PDPJ_READ_TIMEOUT": "1",
            **environment,
        }
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(app, ["doctor", "--source", *arguments], env=given)
        assert SECRET not in result.output
        return result

    return run


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said("200 OK", "<html><app-root ng-version='1'></app-root>"), "wrong base URL"),
        (said("403 Forbidden", "<html><h1>Forbidden</h1>"), "a firewall before the source"),
        (b"", "the connection was cut"),
        (said("451 Unavailable", ""), "geo-blocking"),
        (said("401 Unauthorized", ""), "the token is refused"),
        (said("403 Forbidden", '{"message":"Usuário não possui acesso"}', "application/json"), "no standing"),
        (said("429 Too Many Requests", ""), "throttled"),
        (said("404 Not Found", "404 page not found", "text/plain"), "wrong route"),
        (said("200 OK", "[]", "application/json"), "does not know this case"),
        (said("200 OK", "<h1>Em manutenção</h1>"), "maintenance"),
        (said("503 Service Unavailable", ""), "the source is away"),
    ],
)
def test_what_stands_in_the_way_is_said_in_words(server: Server, doctor: Doctor, answer: bytes, words: str) -> None:
    server.answer = answer
    result = doctor(NUMBER)
    assert result.exit_code == 1
    assert "ok  tcp" in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("BAD")]
    assert line.startswith("BAD case ")
    assert words in line
    assert "ok  document" not in result.output


def test_without_a_number_one_that_need_not_exist_is_tried(server: Server, doctor: Doctor) -> None:
    server.answer = said("200 OK", "[]", "application/json")
    result = doctor()
    assert result.exit_code == 0
    assert "ok  case" in result.output


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error":"invalid_grant","error_description":"Token is not active for PESSOA"}', "second factor"),
        ('{"error":"invalid_client"}', "AUTOS_PDPJ_CLIENT_ID"),
    ],
)
def test_a_refused_log_in_is_said_and_tried_once(server: Server, doctor: Doctor, body: str, words: str) -> None:
    server.tokens = said("400 Bad Request", body, "application/json")
    result = doctor(
        AUTOS_PDPJ_ACCESS_TOKEN="",
        AUTOS_PDPJ_REFRESH_TOKEN=SECRET,
        AUTOS_PDPJ_TOKEN_URL=f"{server.url}/token",
        AUTOS_PDPJ_CLIENT_ID="client",
    )
    assert result.exit_code == 1
    assert "BAD token" in result.output
    assert words in result.output
    assert "PESSOA" not in result.output


def test_a_refresh_token_that_follows_is_kept_for_the_owner_alone(
    server: Server, doctor: Doctor, tmp_path: Path
) -> None:
    server.answer = said("200 OK", "[]", "application/json")
    follows = {"access_token": SECRET, "refresh_token": f"{SECRET}-2", "expires_in": 300}
    server.tokens = said("200 OK", json.dumps(follows), "application/json")
    result = doctor(
        AUTOS_PDPJ_ACCESS_TOKEN="",
        AUTOS_PDPJ_REFRESH_TOKEN=SECRET,
        AUTOS_PDPJ_TOKEN_URL=f"{server.url}/token",
        AUTOS_PDPJ_CLIENT_ID="client",
    )
    assert result.exit_code == 0
    kept = tmp_path / "pdpj-refresh-token"
    assert kept.read_text() == f"{SECRET}-2"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert str(kept) in result.output


def test_a_token_that_has_ended_is_said_before_it_is_sent(doctor: Doctor) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp":1,"preferred_username":"12345678901"}').decode().rstrip("=")
    result = doctor(AUTOS_PDPJ_ACCESS_TOKEN=f"a.{claims}.b")
    assert result.exit_code == 1
    assert "BAD token" in result.output
    assert "12345678901" not in result.output


def test_a_name_without_an_address_and_a_port_without_tls_are_told_apart(server: Server, doctor: Doctor) -> None:
    assert "BAD name" in doctor(AUTOS_PDPJ_BASE_URL=f"https://{'x' * 64}.example").output
    assert "BAD tls" in doctor(AUTOS_PDPJ_BASE_URL=server.url.replace("http:", "https:")).output
    server.shutdown()
    server.server_close()
    assert "BAD tcp" in doctor().output


@pytest.mark.parametrize("number", ["123", "1000145-92.2023.8.26.0597"])
def test_what_is_no_case_number_is_refused(doctor: Doctor, number: str) -> None:
    assert doctor(number).exit_code == 1


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorControl]:
    with running_simulator() as running:
        yield running.control


@pytest.mark.parametrize("api", ["portal", "datalake"])
def test_the_simulator_is_reached_up_to_a_document(simulator: SimulatorControl, doctor: Doctor, api: str) -> None:
    simulator.reset()
    simulator.allow_tokens(access=[SECRET])
    simulator.put_case(NUMBER, documents=3)
    url = simulator.portal_url if api == "portal" else simulator.data_lake_url
    result = doctor(NUMBER, AUTOS_PDPJ_BASE_URL=url, AUTOS_PDPJ_API=api)
    assert result.exit_code == 0, result.output
    assert "ok  document            3 listed" in result.output
    simulator.outage(FailureKind.FIREWALL_403)
    assert "a firewall before the source" in doctor(AUTOS_PDPJ_BASE_URL=url, AUTOS_PDPJ_API=api).output
