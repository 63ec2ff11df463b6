"""How an answer leaves: JSON by orjson, entity tags and their comparison."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from fastapi import Response
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.api.http.shown_cases import shown_cases


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


class Json(JSONResponse):
    """A JSON answer. Its content is made of plain values; timestamps are text already."""

    def render(self, content: Any) -> bytes:
        """The content in UTF-8, decimals as numbers. Raises TypeError for what has no JSON form."""
        self._shown = shown_cases(content)
        return orjson.dumps(content, default=_plain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. The access log finds in ``scope["state"]`` what is in it of which case."""
        scope.setdefault("state", {})["shown"] = self._shown
        await super().__call__(scope, receive, send)


def tagged(content: Any, tag: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that a client may ask for again with ``If-None-Match``: kept by the client alone, always checked."""
    return Json(content, status, {**(headers or {}), "ETag": tag, "Cache-Control": "private, no-cache"})


def not_modified(tag: str) -> Response:
    """304: the client has it already (RFC 9110, section 15.4.5)."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private, no-cache"})


def candidates(if_none_match: str | None) -> frozenset[str]:
    """The opaque tags of an If-None-Match header, without their weakness: the comparison is the weak one."""
    if not if_none_match:
        return frozenset()
    return frozenset(part.strip().removeprefix("W/") for part in if_none_match.split(","))


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the client's copy is the current one (RFC 9110, section 13.1.2)."""
    held = candidates(if_none_match)
    return "*" in held or tag.removeprefix("W/") in held
