"""``python -m tools.schemas.extract FILE``: write asyncapi-3.0.0.json anew from ``schemas/3.0.0-without-$id.json``.

The file is in the npm package @asyncapi/specs (Apache-2.0, AsyncAPI Initiative), 380 kB with the bindings of every
protocol. Kept is what a document about Kafka may use; texts and examples are left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tools.references import references

TARGET: Final = Path(__file__).with_name("asyncapi-3.0.0.json")
_PROTOCOL: Final = "kafka"
_FOR_PEOPLE: Final = frozenset({"description", "examples", "example", "markdownDescription"})
_BINDINGS: Final = "BindingsObject"
_POINTER: Final = "#/definitions/"


def main(source: Path) -> None:
    whole = json.loads(source.read_text(encoding="utf-8"))
    definitions = whole.pop("definitions")
    for name, one in definitions.items():
        if name.endswith(_BINDINGS):
            one["properties"] = {_PROTOCOL: one["properties"][_PROTOCOL]}
    made = _bare(whole)
    kept: dict[str, Any] = {}
    waiting = list(_definitions_in(made))
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = _bare(definitions[name])
            waiting += _definitions_in(kept[name])
    text = json.dumps({**made, "definitions": dict(sorted(kept.items()))}, separators=(",", ":"), ensure_ascii=False)
    TARGET.write_text(text + "\n", encoding="utf-8")


def _bare(value: Any, *, names: bool = False) -> Any:
    """Without what is for people. ``names``: the keys are names of fields, which stay whatever they are."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _bare(one, names=not names and name in ("properties", "patternProperties", "definitions"))
        for name, one in value.items()
        if names or name not in _FOR_PEOPLE
    }


def _definitions_in(value: Any) -> Iterator[str]:
    """The names of the definitions that are referred to."""
    for one in references(value):
        if one.startswith(_POINTER):
            yield one.removeprefix(_POINTER).partition("/")[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
