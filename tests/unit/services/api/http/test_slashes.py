"""A slash at the end of an address is no other address."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from services.api.http.slashes import ForgiveSlashes


async def _routed(path: str) -> tuple[str, bytes]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Only the scope matters."""

    scope: dict[str, Any] = {"type": "http", "path": path, "raw_path": path.encode()}
    await ForgiveSlashes(app)(scope, None, None)  # type: ignore[arg-type]
    return scope["path"], scope["raw_path"]


@pytest.mark.parametrize(
    ("path", "routed"),
    [
        ("/processes/", "/processes"),
        ("/processes/1/status/", "/processes/1/status"),
        ("/processes//", "/processes"),
        ("/", "/"),
        ("//", "/"),
        ("/docs", "/docs"),
    ],
)
async def test_slashes_at_the_end_are_taken_away(path: str, routed: str) -> None:
    assert await _routed(path) == (routed, routed.encode())
