"""One line for each request, with the route's template in place of the address."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services.api.access.caller import Caller
from services.api.http.bounds import RequestBounds
from services.api.http.middleware import RequestEdge
from services.api.http.problems import ProcessUnknown
from services.api.metrics import ApiMetrics
from shared.domain.api_keys import Scope as KeyScope

NUMBER = "1000145-91.2023.8.26.0597"


def bounds() -> RequestBounds:
    return RequestBounds(
        head_bytes=16_384,
        body_bytes=65_536,
        head_seconds=10,
        body_seconds=10,
        idle_seconds=10,
        write_seconds=10,
        connections=10,
    )


async def answered(caplog: pytest.LogCaptureFixture, *, access_log: bool, problem: bool = False) -> list[Any]:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/processes/{numero}/status", lambda request: None)
        scope["state"]["caller"] = Caller(client_id="office", key_id="k", scopes=frozenset({KeyScope.READ}))
        if problem:
            raise ProcessUnknown
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return None

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": f"/processes/{NUMBER}/status",
        "raw_path": f"/processes/{NUMBER}/status".encode(),
        "query_string": b"token=autos_st_hunter2",
        "headers": [(b"authorization", b"Bearer autos_sk_hunter2"), (b"x-request-id", b"r-1")],
    }
    with caplog.at_level(logging.INFO, logger="services.api"):
        edge = RequestEdge(application, ApiMetrics(CollectorRegistry()), bounds(), access_log=access_log)
        await edge(scope, receive, send)
    return [record for record in caplog.records if record.message == "A request is answered"]


async def test_a_request_is_one_line_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = await answered(caplog, access_log=True)
    assert (line.levelname, line.method, line.route, line.status) == ("INFO", "GET", "/processes/{numero}/status", 200)
    assert (line.client_id, line.request_id) == ("office", "r-1")
    assert len(line.trace_id) == 32
    assert line.duration_ms >= 0
    assert NUMBER not in str(vars(line)) and "hunter2" not in str(vars(line))


async def test_a_problem_is_told_by_its_code(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = await answered(caplog, access_log=True, problem=True)
    assert (line.status, line.code) == (404, "process_unknown")


async def test_the_log_can_be_turned_off(caplog: pytest.LogCaptureFixture) -> None:
    assert await answered(caplog, access_log=False) == []
