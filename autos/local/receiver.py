"""The demo webhook receiver: verifies signatures (Standard Webhooks), remembers the last deliveries, answers as told.

``python -m autos.local.receiver --port N`` with the secret in AUTOS_RECEIVER_SECRET or ``--secret-file``; with
``--certificate`` and ``--key`` (PEM files) it speaks https. Every POST to a path that does not begin with ``/_`` is a
webhook. ``GET /_received?path=`` lists them, ``DELETE /_received`` forgets
them, ``POST /_control`` {status, delay, times, path, headers} sets what the next ones are answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEPT: Final = 10_000
_MAX_BODY: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Delivery:
    """One webhook request as it came."""

    path: str
    webhook_id: str
    attempt: int | None
    verified: bool
    body: Any
    """The parsed JSON; the text where it is none."""
    received_at: str
    answered: int


@dataclass
class Answer:
    """What to answer: ``times`` requests (None: until told otherwise) whose path begins with ``path``."""

    status: int = 204
    delay: float = 0.0
    times: int | None = None
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)


def parse_answer(value: Any) -> Answer:
    """Raises ValueError for what is not an answer."""
    if not isinstance(value, dict) or not set(value) <= {"status", "delay", "times", "path", "headers"}:
        raise ValueError("an answer has status, delay, times, path, headers")
    try:
        answer = Answer(**value)
        if not 200 <= int(answer.status) <= 599 or not 0 <= float(answer.delay) <= 3600:
            raise ValueError("status is 200 to 599, delay 0 to 3600 seconds")
        if answer.times is not None and int(answer.times) < 1:
            raise ValueError("times is at least 1, or null")
        answer.headers = {str(name): str(text) for name, text in answer.headers.items()}
    except (TypeError, AttributeError) as error:
        raise ValueError("status, delay and times are numbers, headers an object") from error
    return answer


class Receiver:
    """The state of one receiver and its routes."""

    def __init__(self, secret: str | None) -> None:
        self._webhook = Webhook(secret) if secret else None
        self._received: deque[Delivery] = deque(maxlen=KEPT)
        self._answers: list[Answer] = []

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/_received", self._list, methods=["GET"]),
                Route("/_received", self._forget, methods=["DELETE"]),
                Route("/_control", self._control, methods=["POST"]),
                Route("/_control", self._reset, methods=["DELETE"]),
                Route("/{path:path}", self._receive, methods=["POST"]),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _receive(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return JSONResponse({"error": "too large"}, 413)
        path = request.url.path
        answer = self._answer_for(path)
        self._received.append(
            Delivery(
                path=path,
                webhook_id=request.headers.get("webhook-id", ""),
                attempt=_number(request.headers.get("webhook-attempt")),
                verified=self._is_genuine(body, dict(request.headers)),
                body=_parsed(body),
                received_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                answered=answer.status,
            )
        )
        if answer.delay:
            await asyncio.sleep(answer.delay)
        return Response(status_code=answer.status, headers=answer.headers)

    def _is_genuine(self, body: bytes, headers: dict[str, str]) -> bool:
        if self._webhook is None:
            return False
        try:
            self._webhook.verify(body, headers, json_parse=False)
        # ValueError: a signature that is not base64.
        except (WebhookVerificationError, ValueError):
            return False
        return True

    def _answer_for(self, path: str) -> Answer:
        # The one that was set last goes first.
        for answer in reversed(self._answers):
            if path.startswith(answer.path):
                if answer.times is not None:
                    answer.times -= 1
                    if answer.times == 0:
                        self._answers.remove(answer)
                return answer
        return Answer()

    async def _list(self, request: Request) -> Response:
        prefix = request.query_params.get("path", "/")
        return JSONResponse([asdict(delivery) for delivery in self._received if delivery.path.startswith(prefix)])

    async def _forget(self, request: Request) -> Response:
        self._received.clear()
        return Response(status_code=204)

    async def _control(self, request: Request) -> Response:
        try:
            self._answers.append(parse_answer(json.loads(await request.body())))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)
        return Response(status_code=204)

    async def _reset(self, request: Request) -> Response:
        self._answers.clear()
        return Response(status_code=204)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m autos.local.receiver")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret-file", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    chosen = parser.parse_args()
    secret = chosen.secret_file.read_text().strip() if chosen.secret_file else os.environ.get("AUTOS_RECEIVER_SECRET")
    config = uvicorn.Config(
        Receiver(secret).application(),
        host=chosen.host,
        port=chosen.port,
        ssl_certfile=chosen.certificate,
        ssl_keyfile=chosen.key,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    # uvicorn takes its signals over again when it ends; a stop that was asked for is a success.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run()


if __name__ == "__main__":
    main()
