"""Whether a document is what AsyncAPI 3.0.0 allows: by its JSON Schema (extract.py), and every reference leads on."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema

from tools.references import references

_SCHEMA: Final = Path(__file__).with_name("asyncapi-3.0.0.json")


@cache
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def problems(document: dict[str, Any]) -> list[str]:
    """A line for each thing that is wrong, with its place; none when all is well."""
    found = [
        f"{'/'.join(map(str, error.absolute_path)) or 'the document'}: {_deepest(error).message[:200]}"
        for error in _validator().iter_errors(document)
    ]
    return found + [
        f"{reference}: leads nowhere"
        for reference in references(document)
        if reference.startswith("#/") and not _leads(document, reference)
    ]


def _deepest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of the alternatives that an error is about the one that says most."""
    return jsonschema.exceptions.best_match([error]) or error


def _leads(document: Any, reference: str) -> bool:
    place = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True
