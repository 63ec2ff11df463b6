"""A span around each request, and the trace that what follows from it is in; nothing at all while tracing is off."""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.tracing import callers_span
from shared.tracing import conventions, spans

_NOT_TRACED: Final = ("/health/", "/metrics")
"""What machines ask every few seconds."""


class TraceEdge:
    """Stands outside of everything that answers. ``scope["state"]["traceparent"]`` names the span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not spans.is_on() or scope["type"] != "http" or scope["path"].startswith(_NOT_TRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        parent = callers_span(Headers(scope=scope).get("traceparent"))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with spans.begun(method, parent, SpanKind.SERVER, {conventions.HTTP_METHOD: method}) as span:
            assert span is not None
            scope.setdefault("state", {})["traceparent"] = spans.traceparent_of(span.get_span_context())
            await self._app(scope, receive, sending)
            route = getattr(scope.get("route"), "path", None)
            if isinstance(route, str):
                span.update_name(f"{method} {route}")
                span.set_attribute(conventions.HTTP_ROUTE, route)
            span.set_attribute(conventions.HTTP_STATUS, status)
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
