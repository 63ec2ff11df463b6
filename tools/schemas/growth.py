"""Whether the events of the public topics have all that they had at the last release. Pure but for reading the files.

Subscribers validate against the schemas of a release (a folder a version in ``docs/events/released``) and are not asked
before a change. So a field of then is still there, of the same type, required if it was, and an enumeration has
all of its values. New fields are optional to readers, and new values of an enumeration are to be expected
(docs/reference/events.md). A change that breaks this raises the event's SCHEMA_VERSION, which its readers see in
``ce_dataschema``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.events.flow import PUBLIC
from shared.events.topics import EVENTS

_FOR_PEOPLE: Final = frozenset({"title", "description", "default", "examples", "deprecated"})
Schema = Mapping[str, Any]


def public_events() -> set[str]:
    """The names of the events in public topics."""
    return {model.__name__ for topic in PUBLIC for model in EVENTS[topic]}


def last_release(releases: Path) -> Path | None:
    """The folder of the highest version, None without one. Raises ValueError for a name that is no version."""
    found = [place for place in releases.iterdir() if place.is_dir()] if releases.is_dir() else []
    return max(found, key=lambda place: tuple(map(int, place.name.split("."))), default=None)


def shrunk(releases: Path, now: Mapping[str, Schema]) -> list[str]:
    """A line for each thing that the schemas ``now``, by event, lack of those of the last release."""
    release = last_release(releases)
    if release is None:
        return [f"{releases}: no release"]
    lines = []
    for name in sorted(public_events()):
        path = release / f"{name}.json"
        if not path.exists():
            continue
        before = json.loads(path.read_text(encoding="utf-8"))
        if name not in now:
            lines.append(f"{name}: the event of {release.name} is gone")
        elif before["$id"] == now[name]["$id"]:
            lines += [f"{name}: {line} (as in {release.name})" for line in lost(before, now[name])]
    gone = {path.stem for path in release.glob("*.json")} - public_events()
    return lines + [f"{name}: the event of {release.name} is in no public topic" for name in sorted(gone)]


def lost(before: Schema, after: Schema) -> Iterator[str]:
    """What a reader of ``before`` misses in ``after``: two schemas with their own ``$defs``."""
    yield from _lost(_resolved(before, before), _resolved(after, after), "value")


def _lost(before: Schema, after: Schema, place: str) -> Iterator[str]:
    properties: Schema = after.get("properties", {})
    for name, field in before.get("properties", {}).items():
        if name not in properties:
            yield f"{place}.{name} is gone"
        else:
            yield from _lost(field, properties[name], f"{place}.{name}")
    for name in sorted(set(before.get("required", ())) & properties.keys() - set(after.get("required", ()))):
        yield f"{place}.{name} is no longer always there"
    if "items" in before and "items" in after:
        yield from _lost(before["items"], after["items"], f"{place}[]")
    for value in before.get("enum", ()):
        if value not in after.get("enum", (value,)):
            yield f"{place} no longer has {value!r}"
    if _constraints(before) != _constraints(after):
        yield f"{place} is not of the same type"


def _constraints(schema: Schema) -> Any:
    """What decides which values there are, but for what is compared by itself; unions without their order."""
    own = {"properties", "required", "items", "$defs", "$schema", "$id", *_FOR_PEOPLE}
    kept = {name: value for name, value in schema.items() if name not in own}
    if "enum" in kept:
        kept["enum"] = True
    if "anyOf" in kept:
        kept["anyOf"] = sorted(json.dumps(_bare(each), sort_keys=True) for each in kept["anyOf"])
    return kept


def _bare(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {name: _bare(value) for name, value in schema.items() if name not in _FOR_PEOPLE}
    return [_bare(each) for each in schema] if isinstance(schema, list) else schema


def _resolved(schema: Any, root: Schema) -> Any:
    """The schema with what its references name in their place. Our events are trees: no reference leads back."""
    if isinstance(schema, list):
        return [_resolved(each, root) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        target = root["$defs"][str(schema["$ref"]).removeprefix("#/$defs/")]
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return _resolved({**target, **beside}, root)
    return {name: _resolved(value, root) for name, value in schema.items() if name != "$defs"}
