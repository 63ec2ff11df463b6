"""Fills in what the framework leaves out of the document: a description and an example of everything."""

from __future__ import annotations

from typing import Any, Final

from services.api.openapi.fields import CURSORS, FIELDS, OF_SHAPE, PARAMETERS, FieldNote

_JSON: Final = "application/json"


def fill_in(document: dict[str, Any]) -> None:
    """Give each field and parameter a description and an example, and each JSON answer and body an example.

    Changes the document in place. What a definition says itself stays; the rest comes from ``fields``.
    """
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        _fill_fields(name, schema)
    for schema in schemas.values():
        _fill_references(schema, schemas)
    for operation in operations(document):
        for parameter in operation.get("parameters", []):
            _fill_parameter(parameter)
        if "requestBody" in operation:
            _fill_body(operation["requestBody"], schemas)
    examples = document["components"].setdefault("examples", {})
    for operation in operations(document):
        contents = [answer.get("content", {}) for answer in operation.get("responses", {}).values()]
        for content in (*contents, operation.get("requestBody", {}).get("content", {})):
            name = _shape(content.get(_JSON, {}).get("schema", {}))
            if name is not None and "examples" not in content[_JSON]:
                examples.setdefault(name, {"summary": f"A {name}", "value": example_of(schemas[name], schemas)})
                content[_JSON]["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation: of paths, of callbacks, of webhooks."""
    found = [one for item in document["paths"].values() for one in item.values()]
    called = [callback for one in found for callback in one.get("callbacks", {}).values()]
    for holder in (*called, document.get("webhooks", {})):
        found += [one for item in holder.values() for one in item.values()]
    return found


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value of this shape, made of the examples of its fields; ``schemas`` are the document's, for references."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas)
    if "allOf" in schema:
        return {name: one for part in schema["allOf"] for name, one in example_of(part, schemas).items()}
    if "properties" in schema:
        return {name: example_of(one, schemas) for name, one in schema["properties"].items()}
    return [example_of(schema["items"], schemas)] if schema.get("items") else {}


def refers(schema: dict[str, Any]) -> bool:
    """Whether the examples of this are those of a shape that it refers to."""
    parts = (schema, schema.get("items", {}), *schema.get("anyOf", []))
    return any("$ref" in part or "$ref" in part.get("items", {}) for part in parts)


def _fill_fields(name: str, schema: dict[str, Any]) -> None:
    for field, shape in schema.get("properties", {}).items():
        note = OF_SHAPE.get(f"{name}.{field}", FIELDS.get(field))
        if "const" in shape:
            note = FieldNote("Always this", shape["const"])
        if note is not None:
            shape.setdefault("description", note.text)
            if "examples" not in shape and not refers(shape) and "properties" not in shape.get("items", {}):
                nothing: Any = {"array": [], "object": {}}.get(shape.get("type", ""))
                shape["examples"] = [note.example if note.example is not None else nothing]
        if "items" in shape:
            _fill_fields(name, shape["items"])


def _fill_references(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give the fields that refer to another shape an example of that shape."""
    for shape in schema.get("properties", {}).values():
        if "examples" not in shape and (refers(shape) or "properties" in shape.get("items", {})):
            shape["examples"] = [example_of(shape, schemas)]
    for part in (*schema.get("allOf", []), *schema.get("oneOf", [])):
        _fill_references(part, schemas)


def _fill_body(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say of a body what its shape says of itself."""
    for content in body["content"].values():
        if (name := _shape(content.get("schema", {}))) is not None:
            body.setdefault("description", schemas[name].get("description", f"A {name}"))


def _fill_parameter(parameter: dict[str, Any]) -> None:
    schema = parameter["schema"]
    note = PARAMETERS.get(parameter["name"], FieldNote(""))
    parameter.setdefault("description", note.text)
    example = CURSORS.get(schema.get("format", ""), note.example)
    if example is None:
        example = (schema.get("enum") or [None])[0]
    if allowed := schema.get("items", {}).get("enum"):
        example = [allowed[0]]
    if example is not None:
        schema.setdefault("examples", [example])


def _shape(schema: dict[str, Any]) -> str | None:
    """The name of the shape that a schema is, or of the first of those that it may be."""
    first = schema.get("anyOf", [schema])[0]
    return first["$ref"].rpartition("/")[2] if "$ref" in first else None
