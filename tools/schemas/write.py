"""Write docs/events from the event models: ``python -m tools.schemas [--check]``.

A JSON Schema (2020-12) and an example for each event, and the AsyncAPI document of all topics. ``--check`` writes
nothing and exits with 1 when the committed files are not what the models say, when the document is not what AsyncAPI
allows (standard.py), or when an event of a public topic has less than at the last release (growth.py).
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from shared.events.envelope import Event, dataschema
from shared.events.flow import FLOW
from shared.events.topics import EVENTS
from tools.schemas.asyncapi import asyncapi, models, summary
from tools.schemas.growth import shrunk
from tools.schemas.samples import sample_record
from tools.schemas.standard import problems
from tools.schemas.words import meaning

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "events"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SHOWN_LINES: Final = 20


def schema(model: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's value, as it is written. Raises Undescribed for a field that nothing explains."""
    made = model.model_json_schema(mode="serialization")
    made.pop("description", None)
    for name, field in made["properties"].items():
        field["description"] = meaning(model, name)
    return {"$schema": _DIALECT, "$id": dataschema(model), "description": summary(model), **made}


def files() -> dict[str, str]:
    """The text of every generated file, by its path in the directory."""
    made: dict[str, str] = {}
    for model in models():
        topic = next(name for name in EVENTS if model in EVENTS[name])
        example = sample_record(model, topic, f"/autos/{FLOW[topic][0][0]}")
        example["value"] = json.loads(example["value"])
        made[f"{model.__name__}.json"] = _json(schema(model))
        made[f"examples/{model.__name__}.json"] = _json(example)
    made["asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=110)
    return made


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def committed(directory: Path) -> dict[str, str]:
    """What is there now."""
    found = [*directory.glob("*.json"), *directory.glob("examples/*.json"), *directory.glob("asyncapi.yaml")]
    return {path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8") for path in found}


def write(directory: Path) -> None:
    """Make the directory what the models say; files of events that are no more are removed."""
    wanted = files()
    for name in committed(directory).keys() - wanted.keys():
        (directory / name).unlink()
    for name, text in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """A line for each file that is missing, needless or different, and where it begins to differ."""
    lines: list[str] = []
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name}: missing")
        elif name not in wanted:
            lines.append(f"{name}: no event of this name")
        elif wanted[name] != found[name]:
            lines.append(f"{name}: not what the models say")
            diff = difflib.unified_diff(found[name].splitlines(), wanted[name].splitlines(), lineterm="", n=1)
            lines += [f"    {line}" for line in list(diff)[2:_SHOWN_LINES]]
    return lines


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """The command line; the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tools.schemas [--check]\n")
        return 2
    if not arguments:
        write(directory)
        return 0
    found = differences(files(), committed(directory))
    if found:
        found.append("docs/events is out of date: run `make schemas` and commit it")
    found += [f"asyncapi.yaml: {line}" for line in problems(asyncapi())]
    found += shrunk(DIRECTORY / "released", {model.__name__: schema(model) for model in models()})
    if found:
        sys.stderr.write("\n".join([*found, ""]))
        return 1
    return 0
