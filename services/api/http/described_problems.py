"""The problems of a route as the OpenAPI document shows them: one response a status, an example for each code."""

from __future__ import annotations

from typing import Any, Final

from services.api.http.problems import (
    MEDIA_TYPE,
    InsufficientScope,
    InternalError,
    NotStorable,
    Problem,
    ServiceUnavailable,
    Unauthorized,
    UnknownParameter,
    ValidationFailed,
)
from services.api.http.refusals import AddressTooLong, HeadTooLarge, TooManyParameters

_EXAMPLE: Final[dict[str, str]] = {
    "instance": "/processes/…",
    "request_id": "01k5example",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
_EVERYWHERE: Final[tuple[type[Problem], ...]] = (
    TooManyParameters,
    AddressTooLong,
    HeadTooLarge,
    InternalError,
    NotStorable,
    ServiceUnavailable,
)
_GUARDED: Final[tuple[type[Problem], ...]] = (Unauthorized, InsufficientScope, ValidationFailed, UnknownParameter)

Responses = dict[int | str, dict[str, Any]]


def described(*problems: type[Problem], guarded: bool = True) -> Responses:
    """The ``responses`` of a route that may raise these problems, for the OpenAPI document.

    ``guarded`` adds those of every route that needs a key; those that any route may have are always there.
    """
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in (*problems, *(_GUARDED if guarded else ()), *_EVERYWHERE):
        listed = by_status.setdefault(problem.status, [])
        if problem not in listed:
            listed.append(problem)
    return {
        status: {
            "description": "; ".join(f"{problem.title} (`{problem.code}`)" for problem in listed),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {problem.code: {"value": problem().document(**_EXAMPLE)} for problem in listed},
                }
            },
        }
        for status, listed in sorted(by_status.items())
    }
