"""What surrounds every request: its id and trace, its time, security headers, and an answer for every error."""

from __future__ import annotations

import logging
import time
import traceback

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.bounds import RequestBounds
from services.api.http.languages import preferred
from services.api.http.problems import MEDIA_TYPE, InternalError, NotStorable, Problem, ServiceUnavailable
from services.api.http.refusals import SECURITY
from services.api.http.tracing import request_id, traceparent
from services.api.http.waits import waits_of_request
from services.api.metrics import METHODS, OTHER_METHOD, ApiMetrics, result_of
from shared.db.errors import DatabaseRefused
from shared.errors import InfrastructureAway

_log = logging.getLogger(__name__)


class BrokenAnswer(Exception):
    """An answer broke off after its beginning: the connection ends, so that nobody takes it for whole.

    Stands for the error, which has been logged by kind and place; has no text of its own.
    """


class RequestEdge:
    """Gives each request its id and trace (in ``scope["state"]``), and its answer the headers that all have.

    An error that nobody else turned into an answer becomes a problem document here. The log gets the kind of the error
    and where it happened, never its text, which may hold what the client or the source sent.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, bounds: RequestBounds, *, access_log: bool = False) -> None:
        self._app = app
        self._access_log = access_log
        self._metrics = metrics
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = Headers(scope=scope)
        identity = request_id(received.get("x-request-id"))
        state = scope.setdefault("state", {})
        state["request_id"] = identity
        state["language"] = preferred(", ".join(received.getlist("accept-language")))
        # With tracing it names the request's span already (trace_edge.py).
        state.setdefault("traceparent", traceparent(received.get("traceparent")))
        status: int | None = None
        began = time.perf_counter()
        answered: float | None = None

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = time.perf_counter()
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identity
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        waited = waits_of_request()
        self._metrics.in_flight.inc()
        try:
            query = scope["query_string"]
            self._bounds.check_head(len(scope.get("raw_path") or b"") + len(query), query, scope["headers"])
            if "transfer-encoding" in received or "content-length" in received:
                receive = await _whole_body(receive, self._bounds)
            await self._app(scope, receive, sending)
        # The edge of the service: every error must end in an answer, or in a broken stream when one has begun.
        except Exception as error:  # noqa: BLE001
            problem = _problem_of(error)
            if isinstance(problem, InternalError):
                frames = "".join(traceback.format_tb(error.__traceback__)[-6:])
                _log.error(
                    "A request failed by a fault of ours; the client got internal_error with this request id",
                    extra={"request_id": identity, "error": type(error).__name__, "where": frames},
                )
            if status is not None:
                # Not the error itself: the server logs what is raised here, with its text.
                raise BrokenAnswer from None
            await _answer(problem, scope, identity, sending)
        finally:
            self._metrics.in_flight.dec()
            ended = time.perf_counter()
            self._count(scope, status, (answered or ended) - began, waited.seconds)
            if self._access_log:
                self._tell(scope, status, ended - began)

    def _tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        """One line for the request. The route's template and not its address, which has a case number."""
        state = scope["state"]
        fields: dict[str, object] = {
            "method": scope["method"] if scope["method"] in METHODS else OTHER_METHOD,
            "route": _template(scope),
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "client_id": getattr(state.get("caller"), "client_id", None),
            "request_id": state["request_id"],
            "trace_id": state["traceparent"].split("-")[1],
        }
        if (code := state.get("problem")) is not None:
            fields["code"] = code
        _log.info("A request is answered", extra=fields)

    def _count(self, scope: Scope, status: int | None, seconds: float, waited: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        self._metrics.request_seconds.labels(
            method, _template(scope), "none" if status is None else str(status)
        ).observe(seconds)
        self._metrics.answer_seconds.labels(result_of(status)).observe(max(0.0, seconds - waited))
        if (code := scope["state"].get("problem")) is not None:
            self._metrics.problems.labels(code).inc()


async def _whole_body(receive: Receive, bounds: RequestBounds) -> Receive:
    """The body is read before anybody else does, up to the limit, whatever was declared. Raises BodyTooLarge."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return receive
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > bounds.body_bytes:
            raise bounds.body_too_large()
    whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def replay() -> Message:
        nonlocal whole
        if whole is None:
            return await receive()
        message, whole = whole, None
        return message

    return replay


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, InfrastructureAway):
        return ServiceUnavailable(f"{error.what} is away, try again", headers={"Retry-After": "2"})
    if isinstance(error, DatabaseRefused):
        return NotStorable(f"the database refuses it for good ({error.detail}); the same request gets the same answer")
    return InternalError("the request id finds the reason in our log")


def _template(scope: Scope) -> str:
    """The route's template, so that case numbers do not become label values."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


async def _answer(problem: Problem, scope: Scope, identity: str, send: Send) -> None:
    scope["state"]["problem"] = problem.code
    language = scope["state"]["language"]
    body = orjson.dumps(
        problem.document(
            instance=scope["path"], request_id=identity, language=language, trace_id=scope["state"]["traceparent"][3:35]
        )
    )
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-language", language.encode()),
        (b"vary", b"Accept-Language"),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
