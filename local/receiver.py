"""The demo webhook receiver: verifies each call, remembers the last ones, answers as it is told.

``POST /`` and any other path is a webhook. ``GET /_received`` lists what came; ``POST /_control`` sets how it
answers; ``DELETE /_received`` forgets. The signature is checked by the PyPI package standardwebhooks, not by our code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.clock import rfc3339, utc_now

_REMEMBERED = 5000


class Receiver:
    """What came, and how to answer: ``status`` after ``delay`` seconds for the next ``times`` calls (None: all)."""

    def __init__(self, secret: str | None) -> None:
        self._secret = secret
        self._received: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self._answer: dict[str, Any] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/_received", self._list, methods=["GET"]),
                Route("/_received", self._forget, methods=["DELETE"]),
                Route("/_control", self._control, methods=["POST"]),
                Route("/_health", self._health, methods=["GET"]),
                Route("/{path:path}", self._webhook, methods=["POST"]),
            ]
        )

    async def _health(self, _: Request) -> Response:
        return Response(status_code=204)

    async def _list(self, request: Request) -> Response:
        number = request.query_params.get("process_number")
        found = [
            item
            for item in self._received
            if number is None or item["body"].get("data", {}).get("process_number") == number
        ]
        return JSONResponse(found)

    async def _forget(self, _: Request) -> Response:
        self._received.clear()
        return Response(status_code=204)

    async def _control(self, request: Request) -> Response:
        self._answer = await request.json()
        return Response(status_code=204)

    async def _webhook(self, request: Request) -> Response:
        raw = await request.body()
        status = self._next_status()
        self._received.append(
            {
                "webhook_id": request.headers.get("webhook-id"),
                "attempt": int(request.headers.get("webhook-attempt", "0")),
                "verified": self._verified(raw, dict(request.headers)),
                "path": request.url.path,
                "headers": dict(request.headers),
                "body": _json(raw),
                "answered": status,
                "received_at": rfc3339(utc_now()),
            }
        )
        if delay := float(self._answer.get("delay", 0)):
            await asyncio.sleep(delay)
        headers = {str(name): str(value) for name, value in self._answer.get("headers", {}).items()}
        return Response(status_code=status, headers=headers if status >= 300 else {})

    def _next_status(self) -> int:
        times = self._answer.get("times")
        if times is None:
            return int(self._answer.get("status", 204))
        if times <= 0:
            return 204
        self._answer["times"] = times - 1
        return int(self._answer.get("status", 204))

    def _verified(self, raw: bytes, headers: dict[str, str]) -> bool:
        if self._secret is None:
            return False
        try:
            Webhook(self._secret).verify(raw, headers)
        except WebhookVerificationError:
            return False
        return True


def _json(raw: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(raw)
    except json.JSONDecodeError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def main() -> None:
    """``python -m local.receiver --port N [--secret-file F]``; AUTOS_RECEIVER_SECRET otherwise."""
    parser = argparse.ArgumentParser(description="the demo webhook receiver")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret-file", type=Path)
    options = parser.parse_args()
    secret = options.secret_file.read_text().strip() if options.secret_file else os.environ.get("AUTOS_RECEIVER_SECRET")
    uvicorn.run(Receiver(secret).app(), host=options.host, port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
