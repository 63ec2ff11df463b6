"""The OpenAPI document says enough to make good clients of it: names, words and examples for everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from services.api.http.languages import PORTUGUESE_TITLES
from services.api.openapi.examples import operations
from tools.postman.generate import openapi_document

ADD = "say it at the field, or in services/api/openapi/fields.py"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def fields(name: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field, shape in schema.get("properties", {}).items():
        yield f"{name}.{field}", shape
        yield from fields(f"{name}.{field}", shape.get("items", {}))
    for part in (*schema.get("allOf", []), *schema.get("oneOf", [])):
        yield from fields(name, part)


def test_every_field_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    every = [one for name, schema in document["components"]["schemas"].items() for one in fields(name, schema)]
    assert len(every) > 100
    assert [place for place, shape in every if not shape.get("description")] == [], ADD
    assert [place for place, shape in every if "examples" not in shape] == [], ADD
    assert [name for name, shape in document["components"]["schemas"].items() if not shape.get("description")] == []


def test_every_example_of_a_field_is_right(document: dict[str, Any]) -> None:
    every = [one for name, schema in document["components"]["schemas"].items() for one in fields(name, schema)]
    for place, shape in every:
        whole = jsonschema.Draft202012Validator({**shape, "components": document["components"]})
        assert [error.message for one in shape["examples"] for error in whole.iter_errors(one)] == [], place


def test_headers_bodies_tags_and_keys_are_explained(document: dict[str, Any]) -> None:
    every = operations(document)
    known = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert [one["operationId"] for one in every if not set(one.get("tags", ())) & known] == []
    assert [
        one["operationId"] for one in every if not one.get("requestBody", {"description": "none"})["description"]
    ] == []
    headers = [
        head for one in every for answer in one["responses"].values() for head in answer.get("headers", {}).values()
    ]
    assert headers and all(head["description"] for head in headers)
    assert all(answer["description"] for one in every for answer in one["responses"].values())
    assert all(scheme.get("description") for scheme in document["components"]["securitySchemes"].values())


def test_every_operation_has_a_short_name_a_summary_and_a_description(document: dict[str, Any]) -> None:
    every = operations(document)
    names = [operation["operationId"] for operation in every]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+){1,5}|redeliver", name)] == []
    assert {"getProcess", "getStatus", "listDocuments", "askForMany", "createStreamToken"} <= set(names)
    assert [one["operationId"] for one in every if not one.get("summary") or not one.get("description")] == []


def test_every_parameter_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    found = [
        f"{operation['operationId']}: {parameter['name']}"
        for operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description") or not parameter["schema"].get("examples")
    ]
    assert found == [], ADD


def test_every_answer_with_json_has_an_example_that_is_right(document: dict[str, Any]) -> None:
    def whole(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator({**schema, "components": document["components"]})

    for operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for answer in (*operation["responses"].values(), *bodies):
            for media, content in answer.get("content", {}).items():
                if not media.endswith("json"):
                    continue
                assert content["examples"], operation["operationId"]
                for example in content["examples"].values():
                    if "$ref" in example:
                        example = document["components"]["examples"][example["$ref"].rpartition("/")[2]]
                    whole(content["schema"]).validate(example["value"])


def test_every_operation_lists_its_errors_by_code(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            refused = {status: one for status, one in operation["responses"].items() if status >= "400"}
            codes = {
                code
                for one in refused.values()
                for code in one.get("content", {}).get("application/problem+json", {}).get("examples", {})
            }
            assert codes and codes <= set(PORTUGUESE_TITLES), operation["operationId"]
            assert ("415" in refused) == ("requestBody" in operation), operation["operationId"]


def test_links_lead_to_parameters_that_there_are(document: dict[str, Any]) -> None:
    by_id = {operation["operationId"]: operation for operation in operations(document)}
    seen = 0
    for operation in by_id.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                known = {parameter["name"] for parameter in by_id[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= known
                seen += 1
    assert seen > 20


def test_no_media_type_is_a_range_and_open_routes_say_so(document: dict[str, Any]) -> None:
    media = {
        kind
        for one in operations(document)
        for answer in one["responses"].values()
        for kind in answer.get("content", {})
    }
    assert not {kind for kind in media if "*" in kind} and "application/octet-stream" in media
    opened = {path for path, item in document["paths"].items() for one in item.values() if one["security"] == []}
    assert opened >= {"/health/live", "/health/ready", "/metrics"}
    assert not {path for path in opened if path.startswith(("/processes", "/jobs", "/webhooks", "/tokens"))}
    assert document["servers"] == [{"url": "/", "description": "This installation"}]
    assert {"stream_token": []} in document["paths"]["/processes/{numero}/events"]["get"]["security"]


def test_the_event_stream_has_a_shape_for_each_kind_of_event(document: dict[str, Any]) -> None:
    answer = document["paths"]["/processes/{numero}/events"]["get"]["responses"]["200"]
    schema = answer["content"]["text/event-stream"]["schema"]
    assert schema["type"] == "string" and schema["contentSchema"]["items"]["$ref"].endswith("/CaseEvent")
    kinds = [one["properties"]["event"]["const"] for one in document["components"]["schemas"]["CaseEvent"]["oneOf"]]
    assert kinds == ["document", "progress", "completed"]


def test_every_list_in_a_query_says_how_long_it_may_be(document: dict[str, Any]) -> None:
    """A bound that only the code knows refuses requests that the document calls valid."""
    lists = {
        f"{one['operationId']}.{parameter['name']}": parameter["schema"]
        for one in operations(document)
        for parameter in one.get("parameters", ())
        if parameter["schema"].get("type") == "array"
    }
    assert {"listEvents.types", "getArchive.types"} <= set(lists)
    assert [place for place, shape in lists.items() if "maxItems" not in shape] == []
