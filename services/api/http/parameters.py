"""What the routes take from the address: case numbers, ids, and no query parameter that they do not know."""

from __future__ import annotations

import difflib
import uuid
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyQuery
from pydantic import Field

from services.api.http.problems import (
    ERRORS_SHOWN,
    FieldError,
    InvalidProcessNumberProblem,
    InvalidReferenceProblem,
    UnknownParameter,
)
from shared.domain import cnj, reference

_NAME_SHOWN: Final = 64
_DETAILED: Final = 5
"""How many errors the detail of a problem names; ``errors`` has more."""
_EXAMPLE: Final = "1000145-91.2023.8.26.0597"

# A format alone, no pattern and no length: a wrong text is then answered with the code of the rule that it breaks.
NumberText = Annotated[str, Field(json_schema_extra={"format": "cnj"})]
UrlText = Annotated[str, Field(json_schema_extra={"format": "uri"})]
CursorText = Annotated[str, Field(json_schema_extra={"format": "cursor"})]
# What rows are looked up by: PostgreSQL's text holds no NUL.
SearchText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
# Described, and checked by client_reference, whose problem has a code of its own.
ReferenceText = Annotated[
    str,
    Field(
        json_schema_extra={
            "minLength": 1,
            "maxLength": reference.MOST_CHARACTERS,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$",
        },
        examples=["matter-2024/0815"],
    ),
]


WithDocuments = Annotated[bool, Query(description="False leaves the documents out of the answer")]


def case_number(text: str, field: str = "numero") -> cnj.ProcessNumber:
    """``text`` as a CNJ number, however it is written.

    Raises InvalidProcessNumberProblem; the code of its error in ``field`` is the reason of InvalidProcessNumber.
    """
    try:
        return cnj.parse(text)
    except cnj.InvalidProcessNumber as refused:
        raise InvalidProcessNumberProblem(
            refused.detail, errors=[FieldError(field, refused.reason, refused.detail)]
        ) from None


def client_reference(text: str | None, field: str = "query.reference") -> str | None:
    """A client's own reference, checked; None when it gives none.

    Raises InvalidReferenceProblem; the code of its error in ``field`` is the reason of InvalidReference.
    """
    if text is None:
        return None
    try:
        return reference.checked(text)
    except reference.InvalidReference as refused:
        problem = FieldError(field, refused.reason, refused.detail)
        raise InvalidReferenceProblem(refused.detail, errors=[problem]) from None


async def _number(
    numero: Annotated[
        str,
        Path(
            description="CNJ number, with or without its mask",
            json_schema_extra={"format": "cnj"},
            examples=[_EXAMPLE, "10001459120238260597"],
        ),
    ],
) -> cnj.ProcessNumber:
    return case_number(numero)


Number = Annotated[cnj.ProcessNumber, Depends(_number)]


def _lower(value: uuid.UUID) -> str:
    return str(value)


async def _document_id(document_id: Annotated[uuid.UUID, Path(description="The document's id, a UUID")]) -> str:
    return _lower(document_id)


async def _job_id(job_id: Annotated[uuid.UUID, Path(description="The job's id")]) -> str:
    return _lower(job_id)


async def _delivery_id(delivery_id: Annotated[uuid.UUID, Path(description="The delivery's id")]) -> str:
    return _lower(delivery_id)


async def _endpoint_id(endpoint_id: Annotated[uuid.UUID, Path(description="The endpoint's id")]) -> str:
    return _lower(endpoint_id)


DocumentId = Annotated[str, Depends(_document_id)]
JobId = Annotated[str, Depends(_job_id)]
DeliveryId = Annotated[str, Depends(_delivery_id)]
EndpointId = Annotated[str, Depends(_endpoint_id)]


def query_names(dependant: Dependant) -> frozenset[str]:
    """Every query parameter of a route and of what it depends on."""
    names: set[str] = {field.alias for field in dependant.query_params}
    if isinstance(dependant.call, APIKeyQuery):
        names.add(dependant.call.model.name)
    for inner in dependant.dependencies:
        names |= query_names(inner)
    return frozenset(names)


async def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a misspelt one would be ignored silently.

    Raises UnknownParameter, with the name that was probably meant.
    """
    if not request.scope["query_string"]:
        return
    route: Any = request.scope["route"]
    known = query_names(route.dependant)
    found: list[FieldError] = []
    for name in dict.fromkeys(request.query_params.keys()):
        if name not in known:
            short = name[:_NAME_SHOWN]
            close = difflib.get_close_matches(short, known, n=1) if len(found) < ERRORS_SHOWN else []
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
            found.append(FieldError(f"query.{short}", "unknown", hint))
    if found:
        raise UnknownParameter("; ".join(f"{one.field}: {one.message}" for one in found[:_DETAILED]), errors=found)
