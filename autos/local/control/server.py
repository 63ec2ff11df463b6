"""A small HTTP server of the supervisor, by which the page kills processes and troubles the simulated source.

It exists in the embedded stack alone: it listens on the loopback interface, its answers are for the origin of that
stack's own page, and everything but the tab's module needs the token that `make up` puts into the page's address.

| Route | Does |
|---|---|
| GET /module.js | the tab, a module for the page |
| GET /processes | the processes, each with its pid, whether it runs, and how often it died |
| POST /processes/{name}/kill | SIGKILL; the supervisor starts it again |
| PATCH /source, PUT /cases/{number} | the simulator's control routes of the same names |
| POST /receiver, DELETE /receiver | what the receiver answers from now on, as its /_control takes it |
| GET /received?path= | what the receiver got below a path: case, attempt, whether the signature is right |
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from autos.local.control.actions import Actions, Refused
from autos.local.control.guard import Guard

MODULE: Final = Path(__file__).with_name("break.js")
_MAX_BODY: Final = 64 * 1024
_POLL_SECONDS: Final = 0.05
_SECONDS: Final = 10.0
"""That a request may take to arrive."""


class ControlServer:
    """The server in a thread of its own. The stack goes on without it when it ends."""

    def __init__(self, port: int, guard: Guard, actions: Actions) -> None:
        handler = type("Handler", (_Handler,), {"guard": guard, "actions": actions})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(_POLL_SECONDS,), name="control", daemon=True)

    def start(self) -> None:
        """Serve until :meth:`stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End it; a request that is being answered is cut off."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    guard: Guard
    actions: Actions
    timeout = _SECONDS

    @property
    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def do_OPTIONS(self) -> None:
        origin = self.guard.origin(self._headers)
        self._answer(204 if origin else 403, None)

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/module.js" and self.guard.is_host(self._headers):
            self._answer(200, MODULE.read_bytes(), "text/javascript; charset=utf-8")
        else:
            self._act("GET")

    def do_POST(self) -> None:
        self._act("POST")

    def do_PUT(self) -> None:
        self._act("PUT")

    def do_PATCH(self) -> None:
        self._act("PATCH")

    def do_DELETE(self) -> None:
        self._act("DELETE")

    def _act(self, method: str) -> None:
        if not self.guard.admits(self._headers):
            self._answer(403, {"detail": "this needs the token of the stack, and comes from its page"})
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            self._answer(413, {"detail": "the body is too large"})
            return
        split = urlsplit(self.path)
        try:
            body = json.loads(self.rfile.read(int(length)) or b"null")
            query = {name: values[0] for name, values in parse_qs(split.query).items()}
            self._answer(200, self.actions.perform(method, split.path, query, body))
        except Refused as refused:
            self._answer(refused.status, {"detail": str(refused)})
        except ValueError:
            self._answer(422, {"detail": "the body is no JSON"})

    def _answer(self, status: int, content: Any, media_type: str = "application/json") -> None:
        body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in self.guard.cors(self._headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was done is seen in the page."""
