"""docs/reference/events.md from the event models and the tables of topics. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from shared.events.envelope import Event
from shared.events.flow import FLOW, PUBLIC
from shared.events.topics import EVENTS, TOPICS
from tools.reference.markdown import table
from tools.schemas.asyncapi import key, models, summary
from tools.schemas.words import meaning
from tools.schemas.write import schema

_INTRODUCTION: Final = """\
# Events

Made by `python -m tools.reference` from the models in `shared/events`; `make check` refuses a difference. The same
with JSON Schemas, an example for each event and an AsyncAPI 3 document is in [docs/events](../events).

Records are CloudEvents 1.0 in Kafka's binary mode: the value is the JSON of the event, its attributes are the headers
`ce_id`, `ce_type`, `ce_source` (`/autos/` and the service), `ce_specversion`, `ce_time`, `ce_subject`,
`ce_dataschema`, `content-type: application/json`, and `traceparent` (W3C) where there is a trace. Times are RFC 3339
in UTC, ids are UUIDs, a process number has its mask.

- **Delivery is at least once.** `ce_id` is the same when the same event is written again, so it is what a subscriber
  drops repeats by.
- **Order** holds within a key. Of different keys nothing is said.
- **Public topics** ({public}) are for other systems. Their events only grow: `make check` compares them with those of
  the last release ([docs/events/released](../events/released)) and refuses a field that is gone, of another type or no
  longer always there. Ignore a field that you do not know, and expect new values of an enumeration. The other topics
  are ours and may change with a release.
- **`ce_dataschema`** is the `$id` of the value's JSON Schema, `urn:autos:events:NAME:MAJOR`. A change that
  readers cannot take has a new major version.
- [Subscribe to our topics](../guides/subscribe.md) leads from a user at the broker to a consumer in Python, Go or Node.
"""


def _field_names(model: type[Event]) -> Iterator[list[str]]:
    made = schema(model)
    required = set(made.get("required", []))
    for name, field in model.model_fields.items():
        yield [
            f"`{name}`",
            _kind(made["properties"][name], made),
            "yes" if field.is_required() and name in required else "no",
            meaning(model, name),
        ]


def _kind(of: dict[str, Any], whole: dict[str, Any]) -> str:
    if "$ref" in of:
        return _kind(whole["$defs"][of["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in of:
        return " or ".join(_kind(one, whole) for one in of["anyOf"])
    if "enum" in of:
        return ", ".join(f"`{one}`" for one in of["enum"])
    if of.get("type") == "array":
        return f"array of {_kind(of['items'], whole)}"
    if "pattern" in of:
        return "process number"
    return {"uuid": "UUID", "date-time": "time"}.get(of.get("format", ""), str(of.get("type", "")))


def _topic_rows() -> Iterator[list[str]]:
    for topic in TOPICS:
        kept = int(topic.config["retention.ms"])
        writers, readers = FLOW[topic.name]
        yield [
            f"`{topic.name}`" + (" (public)" if topic.name in PUBLIC else ""),
            ", ".join(dict.fromkeys(f"`{key(model)}`" for model in EVENTS[topic.name])),
            ", ".join(f"[{model.__name__}](#{model.__name__.lower()})" for model in EVENTS[topic.name]),
            ", ".join(writers),
            ", ".join(readers) or "",
            str(topic.partitions),
            f"{kept // 86_400_000} days" if kept > 0 else "for ever",
        ]


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION.replace("{public}", ", ".join(f"`{name}`" for name in PUBLIC))]
    parts.append(
        "## Topics\n\nA retry topic has one fixed delay, so its records are in order of due time. A dead topic also"
        " holds records that could not be read, as they came, with the reason in headers.\n"
    )
    parts.append(table(("Topic", "Key", "Events", "Written by", "Read by", "Partitions", "Kept"), _topic_rows()))
    for model in models():
        parts.append(f"## {model.__name__}\n\n`{model.TYPE}`. {summary(model)}\n")
        parts.append(table(("Field", "Type", "Required", "Meaning"), _field_names(model)))
    return "\n".join(parts)
