"""A request for every operation of the OpenAPI document, in folders by tag, each tested against what is documented."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tools.postman.items import NO_KEY, Item, Sent, folder, request

# What a path parameter is filled with: the variables that the flows set.
_PATH_VARIABLES: Final = {
    "numero": "{{process_number}}",
    "document_id": "{{document_id}}",
    "job_id": "{{job_id}}",
    "delivery_id": "{{delivery_id}}",
    # As `GET /dead-letters` gives it; there need not be one.
    "letter_id": "document.dead/0/0",
    "endpoint_id": "{{endpoint_id}}",
    "deletion_id": "{{deletion_id}}",
}
# A body for each operation that takes one, by method and path.
_BODIES: Final[dict[tuple[str, str], object]] = {
    ("post", "/processes/batch"): {"process_numbers": ["{{process_number}}"], "webhook_url": "{{webhook_url}}"},
    ("post", "/processes/{numero}/download-all-documents"): {"webhook_url": "{{webhook_url}}"},
    ("post", "/tokens/stream"): {"process_number": "{{process_number}}"},
    ("post", "/webhooks/endpoints"): {"url": "{{webhook_url}}", "events": ["process.completed"]},
    ("patch", "/webhooks/endpoints/{endpoint_id}"): {"description": "Case management"},
    ("post", "/webhooks/test"): {"url": "{{webhook_url}}"},
}
# What an answer gives to the requests behind it: the variable and where the answer has it.
_CAPTURES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("get", "/deletions"): ("deletion_id", "(pm.response.json().deletions[0] || {}).deletion_id"),
    ("get", "/webhooks/endpoints"): ("endpoint_id", "(pm.response.json().endpoints[0] || {}).id"),
}
_DESCRIPTION: Final = (
    "Every operation of the OpenAPI document once. Run a flow first: it fills in the ids. `Make a new signing secret` "
    "does what it says; the old secret signs too for 24 hours."
)


class UnknownToTheCollection(ValueError):
    """The OpenAPI document has a path parameter or a body that this file has no value for."""


def reference(document: dict[str, Any]) -> Item:
    """The folder. Raises UnknownToTheCollection."""
    by_tag: dict[str, list[Item]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    folders = [folder(f"Reference: {tag}", "", items) for tag, items in sorted(by_tag.items())]
    return folder("Reference", _DESCRIPTION, folders)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Item:
    """A request to one operation, with every parameter it has and tests of its answer."""
    parameters = operation.get("parameters", [])
    return request(
        "reference",
        f"{method.upper()} {path}",
        method.upper(),
        re.sub(r"\{(\w+)\}", lambda found: _path_value(found[1], path, method), path),
        Sent(
            optional_query={
                parameter["name"]: parameter.get("description", "")
                for parameter in parameters
                if parameter["in"] == "query"
            },
            body=_body(method, path, operation),
            auth=None if operation.get("security") else NO_KEY,
            follow_redirects="307" not in operation["responses"],
        ),
        description=operation.get("description") or operation.get("summary", ""),
        tests=_tests(method, path, operation),
    )


def _path_value(name: str, path: str, method: str) -> str:
    """The collection's variable for a part of the path. Raises UnknownToTheCollection."""
    if method == "delete" and name == "numero":
        # The case of the flows stays; this one nobody asked for.
        return "{{unknown_process_number}}"
    if name == "numero" and "{document_id}" in path:
        # The flow without a webhook keeps a document of its own case.
        return "{{other_process_number}}"
    if name not in _PATH_VARIABLES:
        raise UnknownToTheCollection(f"{path}: no variable for {name}")
    return _PATH_VARIABLES[name]


def _body(method: str, path: str, operation: dict[str, Any]) -> object:
    """An example of the body. Raises UnknownToTheCollection for an operation that wants one and has none."""
    body = _BODIES.get((method, path))
    if "requestBody" in operation and body is None:
        raise UnknownToTheCollection(f"{method.upper()} {path}: no body")
    return body


def _tests(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    """Lines of JavaScript: the status and the media type are documented, and what later requests need is kept."""
    # 500 and 503 are documented, so that clients know their shape; here they are failures.
    statuses = sorted(int(status) for status in operation["responses"] if int(status) not in (500, 503))
    documented = {status: sorted(answer.get("content", {})) for status, answer in operation["responses"].items()}
    lines = [
        'pm.test("the status is documented, and no fault of the server", () => {',
        f"  pm.expect({json.dumps(statuses)}).to.include(pm.response.code);",
        "});",
        'pm.test("the media type is the documented one", () => {',
        f"  const documented = {json.dumps(documented, sort_keys=True)}[String(pm.response.code)] || [];",
        '  const media = (pm.response.headers.get("Content-Type") || "").split(";")[0];',
        '  const any = documented.length === 0 || documented.includes("application/octet-stream");',
        "  if (!any && pm.response.responseSize > 0) pm.expect(documented).to.include(media);",
        "});",
        'pm.test("the answer has a request id", () => pm.response.to.have.header("X-Request-ID"));',
    ]
    if capture := _CAPTURES.get((method, path)):
        variable, expression = capture
        lines += [
            f"const found = pm.response.code === 200 ? {expression} : undefined;",
            f'if (found) pm.collectionVariables.set("{variable}", found);',
        ]
    return lines
