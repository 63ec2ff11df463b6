"""The OpenAPI 3.1 document: what the framework gathers, with problems, callbacks and the webhook."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.http.bodies import UnsupportedMediaType
from services.api.http.described_problems import described
from services.api.openapi.examples import fill_in, operations
from services.api.openapi.links import add_links
from services.api.openapi.stream import add_stream

VERSION: Final = "1.0.0"
TITLE: Final = "Autos"
DESCRIPTION: Final = """\
Documents of Brazilian court cases, by CNJ number. Ask for a case: what is known comes at once, every document is
downloaded in the background, and your webhook is called when all of them are done. Without a webhook poll the status,
or follow the events live.

A key has scopes: `read`, `download`, `webhooks`, `sealed`, and `admin`, which has them all. A case is yours once you
asked for it; its other routes answer 404 `process_unknown` before that. What is above PUBLICO, or of unknown secrecy,
is there for a key with `sealed` whose client asked for the case with such a key: for any other it does not exist, and
it is never listed or counted. Links to sealed documents live five minutes, and webhooks leave those documents out:
`documents_url` leads to them.

Errors are `application/problem+json` (RFC 9457) with a stable `code`. `RateLimit-Policy` and `RateLimit` say how your
limit stands (draft-ietf-httpapi-ratelimit-headers-10). Webhooks are signed as in Standard Webhooks.
"""

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:autos:problem:rate_limited"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable"},
        "request_id": {"type": "string", "description": "Also in X-Request-ID"},
        "trace_id": {
            "type": "string",
            "description": "The trace of the request (W3C Trace Context); missing where it was refused unread",
        },
        "errors_total": {"type": "integer", "description": "How many errors there are, when not all are listed"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


_TAGS: Final = [
    {"name": "processes", "description": "Cases: ask for them, follow them, read them page by page"},
    {"name": "documents", "description": "The content of documents"},
    {"name": "jobs", "description": "Downloads of a case's documents"},
    {"name": "webhooks", "description": "Who is called when a case is done, and how the calls went"},
    {"name": "source", "description": "How the platform that cases come from does"},
    {"name": "events", "description": "What happened to your cases, to be pulled in order"},
    {"name": "deletions", "description": "Cases that were deleted, with the certificates of it, for administrators"},
    {"name": "health", "description": "How the service does"},
    {"name": "system", "description": "What waits where, and what was given up, for operators"},
]
_LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def operation_id(route: Any) -> str:
    """The id of a route's operation: its function's name as clients write it, ``getProcess`` for ``get_process``.

    Generated clients name their methods by it, so a route's function is not renamed lightly.
    """
    first, *others = str(route.name).split("_")
    return first + "".join(word.capitalize() for word in others)


def install(app: FastAPI, public_url: str | None) -> None:
    """Make ``app.openapi()`` this document, of the API at ``public_url`` (None: where the document is read from).

    It is made at the first call and kept; routes that are added later are not in it.
    """
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            document = get_openapi(
                title=TITLE,
                version=VERSION,
                openapi_version="3.1.0",
                description=DESCRIPTION,
                routes=app.routes,
                webhooks=app.webhooks.routes,
                tags=_TAGS,
                servers=[{"url": public_url or "/", "description": "This installation"}],
                license_info=_LICENSE,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = _PROBLEM
            _without_framework_errors(document)
            _without_shapeless_json(document)
            _with_refused_bodies(document)
            _without_null_parameters(document)
            _with_open_routes(document)
            add_stream(document)
            add_links(document)
            fill_in(document)
            made.update(document)
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _with_open_routes(document: dict[str, Any]) -> None:
    """Say of a route that needs no key that it needs none (``security`` of the Operation Object of OpenAPI 3.1)."""
    for item in document["paths"].values():
        for operation in item.values():
            operation.setdefault("security", [])
    for item in document.get("webhooks", {}).values():
        for operation in item.values():
            operation["security"] = []
            operation.setdefault("tags", ["webhooks"])
    for holder in _callbacks(document):
        for item in holder.values():
            for operation in item.values():
                operation["security"] = []
                operation.setdefault("tags", ["webhooks"])


def _without_framework_errors(document: dict[str, Any]) -> None:
    """Drop the framework's own error shape: it is never answered (nor by the receivers of webhooks)."""
    for holder in (document.get("webhooks", {}), *_callbacks(document)):
        for item in holder.values():
            for operation in item.values():
                operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _without_shapeless_json(document: dict[str, Any]) -> None:
    """Drop the JSON of any shape that the framework adds to each answer: where it stands nothing or a stream comes."""
    for operation in operations(document):
        for answer in operation["responses"].values():
            if answer.get("content", {}).get("application/json") == {"schema": {}}:
                del answer["content"]["application/json"]
                if not answer["content"]:
                    del answer["content"]


def _with_refused_bodies(document: dict[str, Any]) -> None:
    """Every operation with a body may say that it is not sent as JSON."""
    [(status, refused)] = [(k, v) for k, v in described(UnsupportedMediaType, guarded=False).items() if k == 415]
    for item in document["paths"].values():
        for operation in item.values():
            if "requestBody" in operation:
                operation["responses"][str(status)] = refused


def _without_null_parameters(document: dict[str, Any]) -> None:
    """Nothing in an address or a header is null: a parameter that may be left out is optional, and that is all."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                others = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
                if len(others) == 1:
                    del schema["anyOf"]
                    schema.update(others[0])


def _callbacks(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for item in document["paths"].values():
        for operation in item.values():
            found += list(operation.get("callbacks", {}).values())
    return found
