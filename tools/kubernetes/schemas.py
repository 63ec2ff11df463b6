"""The schemas of the kinds that the manifests use: schemas.json (Kubernetes, by extract.py) and keda.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

_FILES: Final = ("schemas.json", "keda.json")


class Schemas:
    """Strict: a field that Kubernetes does not know is a fault."""

    @cached_property
    def _documents(self) -> list[dict[str, Any]]:
        return [json.loads(Path(__file__).with_name(name).read_text()) for name in _FILES]

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return {name: one for document in self._documents for name, one in document["$defs"].items()}

    @cached_property
    def kinds(self) -> dict[str, str]:
        """By ``apiVersion Kind``: the name of its schema."""
        return {kind: name for document in self._documents for kind, name in document["kinds"].items()}

    def faults(self, resource: dict[str, Any]) -> Iterator[str]:
        """What is wrong with a resource, a line each, with its kind and name."""
        kind = f"{resource.get('apiVersion')} {resource.get('kind')}"
        name = f"{resource.get('kind')}/{resource.get('metadata', {}).get('name')}"
        if kind not in self.kinds:
            yield f"{name}: no schema of {kind} (tools/kubernetes/extract.py names the kinds)"
            return
        schema = {"$ref": f"#/$defs/{self.kinds[kind]}", "$defs": self._definitions}
        for error in Draft202012Validator(schema).iter_errors(resource):
            yield f"{name}: {'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:200]}"
