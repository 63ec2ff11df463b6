"""``autos listen`` against an API and a receiver of this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

import autos.listen
from autos.main import app

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
EVENT = {
    "id": "7c8d9e0f-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
    "type": "process.completed",
    "timestamp": "2026-03-02T14:32:40.654321Z",
    "data": {"process_number": "1000145-91.2023.8.26.0597", "reference": "ação"},
}


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("may_sign", [True, False])
def test_events_are_forwarded_signed_until_taken_and_the_end_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch, may_sign: bool
) -> None:
    asked: list[dict[str, list[str]]] = []
    received: list[tuple[dict[str, str], bytes]] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            status, answer = 200, dict[str, Any](secret=SECRET)
            if address.path == "/webhooks/secret" and not may_sign:
                status = 403
            elif address.path == "/events":
                query = parse_qs(address.query)
                asked.append(query)
                events = [EVENT] if query["after"] == ["now"] else []
                answer = {"events": events, "next_cursor": "next" if events else "now", "missed": False}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204 if len(received) > 1 else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    page = autos.listen._page

    def until_delivered(api: Any, parameters: dict[str, str]) -> dict[str, Any]:
        if parameters["after"] == "next":
            raise KeyboardInterrupt
        return page(api, parameters)

    monkeypatch.setattr(autos.listen, "_page", until_delivered)
    monkeypatch.setattr("autos.listen.time.sleep", lambda _: None)
    with serving(Api) as api, serving(Hook) as hook:
        environment = {"AUTOS_API_URL": api, "AUTOS_API_KEY": "key"}
        result = CliRunner().invoke(app, ["listen", "--forward-to", f"{hook}/hook"], env=environment)
    assert result.exit_code == 130 and "--after next" in result.stderr
    assert asked[0]["after"] == ["end"] and asked[1]["after"] == ["now"]
    assert [headers["webhook-attempt"] for headers, _ in received] == ["1", "2"]
    assert {headers["webhook-id"] for headers, _ in received} == {EVENT["id"]}
    assert "500" in result.stdout and "204" in result.stdout
    for headers, body in received:
        assert json.loads(body) == {name: EVENT[name] for name in ("type", "timestamp", "data")}
        if may_sign:
            assert Webhook(SECRET).verify(body, headers)["type"] == "process.completed"
        else:
            assert "webhook-signature" not in headers and "lacks the scope" in result.stderr
