"""ops/topic_access.py: what a service may do at the broker follows from who writes and reads which topic."""

from __future__ import annotations

import json
import shlex

import pytest

from ops.topic_access import PRINCIPALS, WATCHER, Right, as_commands, as_json, principal, rights
from shared.events.flow import DEAD_LETTER_READER, FLOW, PUBLIC, READERS, SERVICES, TRANSACTIONS
from shared.events.topics import DEAD_TOPICS, TOPICS


def test_groups_read_what_the_flow_says() -> None:
    readers: dict[str, set[str]] = {topic.name: set() for topic in TOPICS}
    for service, groups in READERS.items():
        for topics in groups.values():
            for topic in topics:
                readers[topic].add(service)
    assert readers == {topic: set(found) for topic, (_, found) in FLOW.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_exactly_its_topics_groups_and_transactions(service: str) -> None:
    mine = {one for one in rights("office") if one.principal == f"autos-{service}"}
    assert {one.name for one in mine if one.operation == "WRITE" and one.resource == "topic"} == {
        topic for topic, (writers, _) in FLOW.items() if service in writers
    }
    shown = DEAD_TOPICS if service == DEAD_LETTER_READER else ()
    assert {one.name for one in mine if one.operation == "READ" and one.resource == "topic"} == {
        *(topic for topic, (_, readers) in FLOW.items() if service in readers),
        *shown,
    }
    assert {one.name for one in mine if one.operation == "READ" and one.resource == "group"} == {
        f"office.{group}" for group in READERS.get(service, {})
    }
    ids = {one.name for one in mine if one.resource == "transactional-id"}
    assert ids == {f"{beginning}." for beginning in TRANSACTIONS.get(service, ())}
    assert {one.pattern for one in mine if one.resource != "transactional-id"} == {"literal"}


def test_who_shows_how_far_the_groups_are_sees_that_and_joins_none() -> None:
    for user in (principal(DEAD_LETTER_READER), principal(WATCHER)):
        seen = {one for one in rights("office") if one.principal == user and one.operation == "DESCRIBE"}
        names = {group: topics for groups in READERS.values() for group, topics in groups.items()}
        assert {one.name for one in seen if one.resource == "group"} == {f"office.{name}" for name in names}
        assert {one.name for one in seen if one.resource == "topic"} == {
            one for topics in names.values() for one in topics
        }


def test_nobody_changes_topics_or_the_cluster() -> None:
    assert {one.operation for one in rights()} == {"READ", "WRITE", "DESCRIBE"}
    assert {one.principal for one in rights()} == {principal(name) for name in PRINCIPALS}
    # The operator's command joins no group; what scales by lag reads no record.
    assert not [
        one for one in rights() if one.principal == "autos-ops" and one.operation == "READ" and one.resource == "group"
    ]
    assert {one.operation for one in rights() if one.principal == "autos-keda"} == {"DESCRIBE"}


def test_another_system_reads_the_public_topics_in_groups_of_its_own() -> None:
    found = set(rights(readers=["crm"])) - set(rights())
    assert found == {
        *(Right("crm", "topic", topic, "literal", "READ") for topic in PUBLIC),
        Right("crm", "group", "crm.", "prefixed", "READ"),
    }


def test_the_commands_and_the_json_say_the_same() -> None:
    found = rights()
    said = set()
    for line in as_commands(found, "broker:9092"):
        words = shlex.split(line)
        assert words[:5] == ["kafka-acls.sh", "--bootstrap-server", "broker:9092", "--add", "--allow-principal"]
        *operations, resource, name, _, pattern = words[6:]
        for operation in operations[1::2]:
            said.add(
                Right(words[5].removeprefix("User:"), resource.removeprefix("--"), name, pattern, operation.upper())
            )
    assert said == set(found) == {Right(**one) for one in json.loads(as_json(found))}
