"""Handlers that turn problems, and what the framework raises by itself, into problem documents."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from services.api.http.bodies import body_fault, not_text
from services.api.http.languages import ENGLISH
from services.api.http.parameters import case_number
from services.api.http.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    FieldError,
    InvalidProcessNumberProblem,
    MethodNotAllowed,
    NotFound,
    Problem,
    SecretsUnreadable,
    ServiceUnavailable,
    ValidationFailed,
)
from shared.errors import InfrastructureAway
from shared.secrets.keys import SecretUnreadable

_log = logging.getLogger(__name__)

# e-SAJ shows an incident, and an incident of one, as the case's number with a suffix.
_INCIDENT: Final = re.compile(r"/processes/([^/]{20,40})/\(?[0-9]{1,6}\)?(?:/|$)")
_BY_STATUS: Final[dict[int, type[Problem]]] = {404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge}


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(InfrastructureAway, _on_away)
    app.add_exception_handler(SecretUnreadable, _on_unreadable)


def answer(problem: Problem, request: Request) -> Response:
    """The answer for a problem."""
    request.state.problem = problem.code
    language = getattr(request.state, "language", ENGLISH)
    document = problem_document(problem, request)
    headers = {**problem.headers, "Content-Language": language, "Vary": "Accept-Language"}
    return Response(orjson.dumps(document), problem.status, headers, MEDIA_TYPE)


def problem_document(problem: Problem, request: Request) -> dict[str, Any]:
    """The document of a problem that ``request`` has, in its language."""
    return problem.document(
        instance=request.scope["path"],
        request_id=request.state.request_id,
        language=getattr(request.state, "language", ENGLISH),
        trace_id=getattr(request.state, "traceparent", "")[3:35] or None,
    )


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error, request)


async def _on_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, InfrastructureAway)
    return answer(ServiceUnavailable(f"{error.what} is away, try again", headers={"Retry-After": "2"}), request)


async def _on_unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, SecretUnreadable)
    _log.error(
        "A stored secret does not open, its key is not set",
        extra={"code": error.code, "key_id": error.key_id},
    )
    detail = "an operator has to set the key that it was stored with (AUTOS_SECRETS_KEY)"
    return answer(SecretsUnreadable(detail, headers={"Retry-After": "60"}), request)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if (fault := body_fault(error.errors(), error.body, request.headers.get("content-type"))) is not None:
        return answer(fault, request)
    found = [_field_error(item) for item in error.errors()]
    detail = "; ".join(f"{one.field}: {one.message}" for one in found[:5])
    return answer(ValidationFailed(detail, errors=found), request)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and (incident := _INCIDENT.match(request.scope["path"])) is not None:
        return answer(_incident(incident[1]), request)
    kind = _BY_STATUS.get(error.status_code)
    if error.status_code == 400:
        # The framework's only 400: a body that is not even text. What is text and not JSON it calls a validation error.
        return answer(not_text(error.__cause__), request)
    if kind is None:
        kind = type("OtherProblem", (Problem,), {"status": error.status_code, "code": f"http_{error.status_code}"})
        kind.title = str(error.detail)
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return answer(kind(headers=headers), request)


def _allowed(request: Request) -> str:
    """The methods of every route of this path: the framework names those of the first one alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))


def _incident(number: str) -> Problem:
    """The problem of a case number that was pasted with the suffix of one of its incidents."""
    try:
        case_number(number)
    except InvalidProcessNumberProblem as problem:
        return problem
    detail = (
        "an incident of e-SAJ (the number with a suffix such as /50000) has no number of its own: ask for the case"
        f" without the suffix, /processes/{number}"
    )
    return InvalidProcessNumberProblem(detail, errors=[FieldError("numero", "incident", detail)])


def _field_error(item: dict[str, Any]) -> FieldError:
    """A framework's finding without the value that the client sent."""
    field = ".".join(str(part) for part in item["loc"]) or "body"
    return FieldError(field, str(item["type"]), str(item["msg"]))
