"""docs/guides/subscribe.md says of the public topics what the code has, and of the examples what they read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ops.topic_access import rights
from shared.events.flow import PUBLIC
from shared.events.topics import EVENTS, TOPICS
from tools.schemas.asyncapi import keys

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/guides/subscribe.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs/examples/subscribe"
_PIN = re.compile(r"^([\w.-]+)==([\w.]+)", re.M)


def test_each_public_topic_has_its_row() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `[a-z]+\.[a-z]+` \|", line)]
    wanted = []
    for name in PUBLIC:
        [spec] = [topic for topic in TOPICS if topic.name == name]
        kept = int(spec.config["retention.ms"])
        events = ", ".join(f"`{model.__name__}`" for model in EVENTS[name])
        time = f"{kept // 86_400_000} days" if kept > 0 else "for ever"
        wanted.append(f"| `{name}` | {events} | {keys(name)} | {spec.partitions} | {time} |")
    assert rows == wanted


def test_a_reader_has_what_the_page_says() -> None:
    found = {
        (one.resource, one.name, one.pattern, one.operation)
        for one in rights(readers=["crm"])
        if one.principal == "crm"
    }
    assert found == {
        *(("topic", name, "literal", "READ") for name in PUBLIC),
        ("group", "crm.", "prefixed", "READ"),
    }
    assert "READ on the three topics and on every consumer group whose name begins with `crm.`" in PAGE


@pytest.mark.parametrize("name", ["subscribe.py", "subscribe.mjs", "subscribe.go"])
def test_each_example_reads_the_variables_that_the_page_names(name: str) -> None:
    table = PAGE.partition("| Variable | Means |")[2].partition("\n\n")[0]
    named = {variable for row in table.splitlines()[2:] for variable in re.findall(r"[A-Z_]{4,}", row.split("|")[1])}
    assert named >= {"KAFKA_USERNAME", "SINCE", "SCHEMAS"}
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert {variable for variable in named if variable not in text} == set()
    assert all(f'"{topic}"' in text for topic in PUBLIC)


def test_the_examples_packages_are_pinned() -> None:
    python = (EXAMPLES / "requirements.txt").read_text(encoding="utf-8")
    # The versions that the tests run are those that a subscriber gets.
    ours = dict(_PIN.findall((ROOT / "requirements/dev.txt").read_text(encoding="utf-8")))
    assert {(name, version) for name, version in _PIN.findall(python) if ours[name] != version} == set()
    assert len(_PIN.findall(python)) <= python.count("--hash=sha256:")
    lock = json.loads((EXAMPLES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert (
        lock[""]["dependencies"] == json.loads((EXAMPLES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    )
    assert all("integrity" in one for name, one in lock.items() if name)
    sums = (EXAMPLES / "go.sum").read_text(encoding="utf-8")
    for module, version in re.findall(r"^\s+(\S+) (v\S+)", (EXAMPLES / "go.mod").read_text(encoding="utf-8"), re.M):
        assert f"{module} {version}/go.mod h1:" in sums
