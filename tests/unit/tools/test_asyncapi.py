"""The AsyncAPI document explains all that it names, says how a broker is reached, and is what AsyncAPI 3.0 allows."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from shared.events.flow import PUBLIC
from shared.events.topics import TOPICS
from tools.schemas import words
from tools.schemas.asyncapi import asyncapi, models
from tools.schemas.standard import problems
from tools.schemas.write import schema

DOCUMENT = asyncapi()


@pytest.mark.parametrize("part", ["servers", "channels", "operations"])
def test_every_server_channel_and_operation_has_a_title_and_a_description(part: str) -> None:
    assert DOCUMENT[part]
    bare = [name for name, one in DOCUMENT[part].items() if not one.get("title") or not one.get("description")]
    assert bare == []


def test_every_message_has_words_and_an_example_that_its_schema_takes() -> None:
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["summary"] and message["description"] and message["bindings"]["kafka"]["key"]["description"]
        [example] = message["examples"]
        [model] = [one for one in models() if one.__name__ == name]
        jsonschema.Draft202012Validator(schema(model)).validate(example["payload"])
        own, particular = message["headers"]["allOf"]
        headers = DOCUMENT["components"]["schemas"][own["$ref"].rpartition("/")[2]]
        for shape in (headers, particular):
            jsonschema.Draft202012Validator(shape).validate(example["headers"])


def test_every_field_and_header_has_a_description() -> None:
    shapes = {model.__name__: schema(model) for model in models()}
    shapes |= DOCUMENT["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, shape in shapes.items()
        for field, one in shape["properties"].items()
        if not one.get("description")
    ]
    assert bare == []


def test_no_description_is_left_over() -> None:
    assert words.unused() == set()
    assert set(words.TOPICS) == {topic.name for topic in TOPICS}


def test_servers_say_how_one_logs_in() -> None:
    secured, local = DOCUMENT["servers"]["secured"], DOCUMENT["servers"]["local"]
    assert (secured["protocol"], local["protocol"]) == ("kafka-secure", "kafka")
    [reference] = secured["security"]
    scheme = DOCUMENT["components"]["securitySchemes"][reference["$ref"].rpartition("/")[2]]
    assert scheme["type"] == "scramSha512" and scheme["description"]
    assert "security" not in local


def test_public_topics_are_marked() -> None:
    marked = {one["address"] for one in DOCUMENT["channels"].values() if one["tags"] == [{"name": "public"}]}
    assert marked == set(PUBLIC)


def test_the_document_is_as_asyncapi_3_wants_it() -> None:
    assert problems(DOCUMENT) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.pop("asyncapi"),
        lambda one: one["servers"]["secured"].pop("protocol"),
        lambda one: one["servers"]["secured"].update(security=["scram"]),
        lambda one: one["components"]["securitySchemes"]["scram"].update(type="password"),
        lambda one: one["channels"]["process_completed"].update(adress="process.completed"),
        lambda one: one["operations"]["status_sends_process_completed"].update(action="publish"),
        lambda one: one["components"]["messages"]["ProcessCompleted"].update(summary=5),
        lambda one: one["channels"]["process_completed"]["bindings"]["kafka"].update(partitions="six"),
    ],
)
def test_what_is_wrong_is_found(spoil: Any) -> None:
    broken = json.loads(json.dumps(DOCUMENT))
    spoil(broken)
    assert problems(broken) != []
